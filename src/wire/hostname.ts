/** Host names and name patterns in their one canonical form: lower-case A-labels, no trailing dot (RFC 1034 3.1, RFC 5890). */

declare const hostnameBrand: unique symbol
declare const patternBrand: unique symbol

/** A canonical DNS name. Made only by `parseHostname`. */
export type Hostname = string & { readonly [hostnameBrand]: true }

/** A canonical DNS name, or `*.` and one: the form of an FQDN rule. Made only by `parseNamePattern`. */
export type NamePattern = string & { readonly [patternBrand]: true }

const maxNameLength = 253
const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const name = new RegExp(`^${label}(?:\\.${label})*$`)

/** A last label that URL parsers read as a number makes the name an IPv4 address to some of them (WHATWG URL, "ends in a number"). */
const numericLastLabel = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/

/**
 * Parses a name as a client or an administrator wrote it: any case, at most one trailing dot. Undefined for anything
 * else: non-ASCII, empty or long labels, brackets, zone ids, percent signs, and names that end in a number.
 * Underscores are let through deliberately: they occur in names that resolve.
 */
export function parseHostname(text: string): Hostname | undefined {
  if (text.length > maxNameLength + 1) return undefined
  const lower = toLowerAscii(text)
  const canonical = lower.endsWith('.') ? lower.slice(0, -1) : lower
  if (canonical.length > maxNameLength) return undefined
  if (!name.test(canonical) || numericLastLabel.test(canonical)) return undefined
  return canonical as Hostname
}

/** Parses an FQDN rule's element: a name, or one leading `*.` over at least two labels. Trailing dots are not canonical here. */
export function parseNamePattern(text: string): NamePattern | undefined {
  const lower = toLowerAscii(text)
  const wildcard = lower.startsWith('*.')
  const bare = wildcard ? lower.slice(2) : lower
  if (bare.endsWith('.') || parseHostname(bare) === undefined) return undefined
  if (wildcard && !bare.includes('.')) return undefined
  return lower as NamePattern
}

/** Unlike `toLowerCase`, leaves everything outside A–Z alone: U+212A KELVIN SIGN must not become `k`. */
function toLowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
