import { type Guid, parseGuid } from '../perimeter/guid.ts'
import { parseResourceId } from '../perimeter/resource-id.ts'
import type { IdentityHeader, Unidentified } from './caller.ts'
import type { IdentityHeaderNames } from './identity-headers.ts'
import type { Statement } from './proof.ts'

/** What a believed peer says about the caller. Still to be held against the snapshot. */
export interface Claims extends Statement {
  readonly kind: 'claims'
}

export const noClaims: Claims = {
  kind: 'claims',
  subscription: undefined,
  perimeters: [],
  resource: undefined,
}

const subscriptionPath = /^\/subscriptions\/([^/]+)$/i

/** Reads the headers of a believed peer. It says each thing once, under the configured name, or is refused. */
export function readClaims(
  headers: readonly IdentityHeader[],
  names: IdentityHeaderNames,
): Claims | Unidentified {
  for (const [index, { kind, name }] of headers.entries()) {
    if (headers.findIndex((other) => other.kind === kind) !== index) {
      return { kind: 'bad-request', detail: `several ${kind} headers` }
    }
    // A believed peer overwrites its own spelling; another one is what it let through from a client.
    if (name.toLowerCase() !== names[kind].toLowerCase()) {
      return { kind: 'bad-request', detail: `${kind} header in another spelling` }
    }
  }
  const [subscription, perimeter, resource] = [
    headers.find(({ kind }) => kind === 'subscription'),
    headers.find(({ kind }) => kind === 'perimeter'),
    headers.find(({ kind }) => kind === 'resource'),
  ]
  const said = {
    subscription: subscription && parseSubscription(subscription.value),
    perimeter: perimeter && parseGuid(perimeter.value),
    resource: resource && parseResourceId(resource.value),
  }
  for (const { kind } of headers) {
    if (said[kind] === undefined) {
      return { kind: 'bad-request', detail: `${kind} header that cannot be parsed` }
    }
  }
  const perimeters = said.perimeter === undefined ? [] : [said.perimeter]
  return { kind: 'claims', ...said, perimeters }
}

/** A GUID, or `/subscriptions/<guid>` as rules spell it. */
function parseSubscription(text: string): Guid | undefined {
  return parseGuid(subscriptionPath.exec(text)?.[1] ?? text)
}
