import { type Guid, parseGuid } from './guid.ts'
import { parseResourceId, type ResourceId } from './resource-id.ts'

/** A member as a certificate names it. */
export interface Member {
  readonly perimeter: Guid
  readonly resource: ResourceId
}

/** SPIFFE-ID 2.3: longer ones need not be supported, and ours are not. */
const maxLength = 2048

/** SPIFFE-ID 2.1 and 2.2: no user, port, escape, query, fragment, empty or relative segment, trailing slash. */
const syntax = /^spiffe:\/\/([0-9a-f-]{36})((?:\/[A-Za-z0-9._-]+)+)$/

const relative = /\/\.{1,2}(?=\/|$)/

/**
 * Reads `spiffe://<perimeter GUID>/subscriptions/…`, where the path is the resource id; undefined for anything else.
 * Nothing is repaired: what another reader could take for another name is no name.
 */
export function parseMemberUri(text: string): Member | undefined {
  if (text.length > maxLength || relative.test(text)) return undefined
  const [, domain = '', path = ''] = syntax.exec(text) ?? []
  const perimeter = parseGuid(domain)
  const resource = parseResourceId(path)
  return perimeter === undefined || resource === undefined ? undefined : { perimeter, resource }
}

/** The other way; undefined for the few resource ids with signs that SPIFFE does not know. */
export function formatMemberUri({ perimeter, resource }: Member): string | undefined {
  const uri = `spiffe://${perimeter}${resource.text}`
  return parseMemberUri(uri) === undefined ? undefined : uri
}
