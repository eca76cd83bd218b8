import { type Guid, parseGuid } from './guid.ts'

/**
 * An ARM resource id, `/subscriptions/{guid}/resourceGroups/{group}/providers/{namespace}/{type}/{name}[/{type}/{name}…]`.
 * Ids compare without regard to case: compare `key`, show `text`.
 */
export interface ResourceId {
  /** As written. */
  readonly text: string
  /** Lower case: the one to compare and to index by. */
  readonly key: string
  readonly subscriptionId: Guid
  readonly resourceGroup: string
  /** `Microsoft.Storage/storageAccounts`, nested types joined by `/`. */
  readonly type: string
  /** The last name. */
  readonly name: string
}

const segment = /^[A-Za-z0-9_.()-]{1,260}$/

/** Parses a full resource id; undefined for anything else. */
export function parseResourceId(text: string): ResourceId | undefined {
  const parts = text.split('/')
  const [empty, subscriptions, subscription, groups, group, providers, namespace, ...rest] = parts
  if (empty !== '' || subscriptions?.toLowerCase() !== 'subscriptions') return undefined
  if (groups?.toLowerCase() !== 'resourcegroups' || providers?.toLowerCase() !== 'providers')
    return undefined
  const subscriptionId = subscription === undefined ? undefined : parseGuid(subscription)
  if (subscriptionId === undefined || group === undefined || namespace === undefined)
    return undefined
  if (rest.length === 0 || rest.length % 2 !== 0) return undefined
  if (![group, namespace, ...rest].every((part) => segment.test(part))) return undefined
  const name = rest.at(-1)
  if (name === undefined) return undefined
  const types = rest.filter((_, index) => index % 2 === 0)
  return {
    text,
    key: text.toLowerCase(),
    subscriptionId,
    resourceGroup: group,
    type: [namespace, ...types].join('/'),
    name,
  }
}
