/**
 * The methods that a request may have: those that Node's own parser knows, so that both ways through the inbound proxy
 * serve the same ones. Case-sensitive (RFC 9110 9.1).
 */
export const methods = [
  'ACL',
  'BIND',
  'CHECKOUT',
  'CONNECT',
  'COPY',
  'DELETE',
  'GET',
  'HEAD',
  'LINK',
  'LOCK',
  'M-SEARCH',
  'MERGE',
  'MKACTIVITY',
  'MKCALENDAR',
  'MKCOL',
  'MOVE',
  'NOTIFY',
  'OPTIONS',
  'PATCH',
  'POST',
  'PROPFIND',
  'PROPPATCH',
  'PURGE',
  'PUT',
  'QUERY',
  'REBIND',
  'REPORT',
  'SEARCH',
  'SOURCE',
  'SUBSCRIBE',
  'TRACE',
  'UNBIND',
  'UNLINK',
  'UNLOCK',
  'UNSUBSCRIBE',
] as const

/** By length, the most frequent first: most comparisons end with the first. */
const byLength = groupByLength(['GET', 'POST', 'HEAD', 'DELETE', ...methods])

const longest = byLength.length - 1

/** The method that these bytes spell, without making a string; undefined for any other. */
export function methodOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start
  if (length > longest) return undefined
  for (const method of byLength[length] ?? []) {
    let index = 0
    while (index < length && bytes[start + index] === method.charCodeAt(index)) index++
    if (index === length) return method
  }
  return undefined
}

/** Requests that do no harm when they are made twice (RFC 9110 9.2.2). */
const idempotent: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
])

export function isIdempotent(method: string): boolean {
  return idempotent.has(method)
}

function groupByLength(names: readonly string[]): readonly (readonly string[])[] {
  const groups: string[][] = []
  for (const name of new Set(names)) (groups[name.length] ??= []).push(name)
  return Array.from(groups, (group) => group ?? [])
}
