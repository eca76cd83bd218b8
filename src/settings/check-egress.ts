import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import {
  type IpAddress,
  isPrefix,
  parsePrefix,
  type Prefix,
  prefixCovers,
} from '../wire/address.ts'
import { specialRanges } from '../wire/address-class.ts'
import type { NamePattern } from '../wire/hostname.ts'
import { isNat64Prefix, nat64Lengths } from '../wire/nat64.ts'

interface At {
  readonly path: Path
  readonly findings: Findings
}

/** Says where the ports of FQDN rules cover nothing or repeat themselves. */
export function checkPorts(ports: readonly number[], { path, findings }: At): void {
  if (ports.length === 0) {
    findings.warning(path, 'FQDN rules cover no port and never match; list at least one')
  }
  for (const [index, port] of ports.entries()) {
    if (ports.indexOf(port) < index) {
      findings.warning([...path, index], `the port ${port} is listed twice`)
    }
  }
}

/** Classes that only a single address, granted to an exact name, opens (`policy/address-guard.ts`). */
const guardedClasses: ReadonlySet<string> = new Set([
  'metadata',
  'loopback',
  'link-local',
  'unspecified',
])

/** Says where the guard will not honour a grant, or where it opens more than can be meant. */
export function checkGrant(
  grant: { readonly name: NamePattern; readonly prefix: Prefix },
  { path, findings }: At,
): void {
  const { name, prefix } = grant
  const isSingle = prefix.length === prefix.bytes.length * 8
  const isHonoured = isSingle && !name.startsWith('*.')
  const around = rows.filter((row) => covers(row.prefix, prefix)).map((row) => row.class)
  const guarded = around.find((found) => guardedClasses.has(found))
  const inside = rows.find((row) => guardedClasses.has(row.class) && covers(prefix, row.prefix))
  const oneByOne = 'addresses are granted one by one, each to an exact name'
  if (prefix.length === 0) {
    const consequence = `the guard would let ${quote(name)} lead almost anywhere`
    findings.warning(path, `${quote(prefix.text)} is every address: ${consequence}`)
  } else if (guarded !== undefined && !isHonoured) {
    findings.error(path, `${quote(prefix.text)} can have no effect: ${guarded} ${oneByOne}`)
  } else if (inside !== undefined && !isHonoured) {
    const what = `${quote(inside.prefix.text)} in it: ${inside.class} ${oneByOne}`
    findings.warning(path, `${quote(prefix.text)} does not grant ${what}`)
  } else if (around.length === 0 && isPublic(prefix)) {
    findings.warning(path, `${quote(prefix.text)} is public, which needs no grant`)
  }
}

/**
 * Whether a network may translate it: a well-known prefix, or one of its own. THREAT: whatever else is special, loopback
 * and metadata among it, must not become the IPv4 address that it happens to end in.
 */
export function checkNat64(prefix: Prefix, { path, findings }: At): boolean {
  const written = quote(prefix.text)
  if (!isNat64Prefix(prefix)) {
    const lengths = nat64Lengths.join(', ')
    const form = `IPv6, of ${lengths} bits, and bits 64 to 71 are zero`
    findings.error(path, `${written} is no NAT64 prefix: those are ${form} (RFC 6052)`)
    return false
  }
  const around = rows.filter((row) => covers(row.prefix, prefix))
  const inside = rows.filter((row) => covers(prefix, row.prefix))
  const isKnown = around.some((row) => wellKnownNat64.has(row.prefix.text))
  const isOwn = around.length === 0 ? isGlobalUnicast(prefix) : isLocal(around)
  if (isKnown || (isOwn && inside.length === 0)) return true
  const found = [...inside, ...around.toReversed()][0]?.class ?? 'reserved'
  findings.error(path, `${written} is or holds ${found} addresses, which no network translates`)
  return false
}

function isLocal(around: readonly Row[]): boolean {
  return around.every((row) => row.class === 'unique-local')
}

const wellKnownNat64: ReadonlySet<string> = new Set(['64:ff9b::/96', '64:ff9b:1::/48'])

interface Row {
  readonly prefix: Prefix
  readonly class: string
}

const rows: readonly Row[] = specialRanges.flatMap((range) => {
  const prefix = parsePrefix(range.prefix)
  return isPrefix(prefix) ? [{ prefix, class: range.class }] : []
})

/** Whether no address of the prefix is special; for IPv6, global unicast only (2000::/3). */
function isPublic(prefix: Prefix): boolean {
  const isGlobal = prefix.bytes.length === 4 || isGlobalUnicast(prefix)
  return isGlobal && !rows.some((row) => covers(prefix, row.prefix))
}

function isGlobalUnicast({ bytes }: Prefix): boolean {
  return (bytes[0] ?? 0) >> 5 === 1
}

function covers(outer: Prefix, inner: Prefix): boolean {
  const first: IpAddress = { kind: 'address', bytes: inner.bytes, text: inner.text }
  return outer.length <= inner.length && prefixCovers(outer, first)
}
