import type { Findings } from '../documents/findings.ts'
import { quote } from '../perimeter/quote.ts'
import { createAddressGuard } from '../policy/address-guard.ts'
import {
  type IpAddress,
  isPrefix,
  parsePrefix,
  type Prefix,
  prefixCovers,
} from '../wire/address.ts'
import { specialRanges } from '../wire/address-class.ts'
import type { EgressSettings, PrivateAddressGrant } from './settings.ts'

/** What egress settings mean: ports that cover nothing, grants and fixed answers that the guard will not honour. */
export function checkEgress(egress: EgressSettings, findings: Findings): void {
  if (egress.ports.length === 0) {
    findings.warning(
      ['egress', 'ports'],
      'FQDN rules cover no port and never match; list at least one',
    )
  }
  for (const [index, port] of egress.ports.entries()) {
    if (egress.ports.indexOf(port) < index) {
      findings.warning(['egress', 'ports', index], `the port ${port} is listed twice`)
    }
  }
  for (const grant of egress.privateAddresses) checkGrant(grant, findings)
  checkFixedAnswers(egress, findings)
}

/** Classes that only a single address, granted to an exact name, opens (`policy/address-guard.ts`). */
const guardedClasses: ReadonlySet<string> = new Set([
  'metadata',
  'loopback',
  'link-local',
  'unspecified',
])

function checkGrant({ name, prefixes }: PrivateAddressGrant, findings: Findings): void {
  const path = ['egress', 'privateAddresses', name]
  const isExact = !name.startsWith('*.')
  for (const prefix of prefixes) {
    const isSingle = prefix.length === prefix.bytes.length * 8
    if (isExact && isSingle) continue
    const within = rows.filter((row) => covers(row.prefix, prefix)).map((row) => row.class)
    const guarded = within.find((name) => guardedClasses.has(name))
    const inside = rows.find((row) => guardedClasses.has(row.class) && covers(prefix, row.prefix))
    if (guarded !== undefined) {
      findings.error(
        path,
        `${quote(prefix.text)} can have no effect: ${guarded} addresses are granted one by one, each to an exact name`,
      )
    } else if (inside !== undefined) {
      findings.warning(
        path,
        `${quote(prefix.text)} does not grant ${quote(inside.prefix.text)} in it: ${inside.class} addresses are granted one by one, each to an exact name`,
      )
    }
    if (prefix.length === 0) {
      findings.warning(
        path,
        `${quote(prefix.text)} is every address: the guard would let ${quote(name)} lead anywhere`,
      )
    } else if (within.length === 0 && inside === undefined && isPublic(prefix)) {
      findings.warning(path, `${quote(prefix.text)} is public, which needs no grant`)
    }
  }
}

interface Row {
  readonly prefix: Prefix
  readonly class: string
}

const rows: readonly Row[] = specialRanges.flatMap((range) => {
  const prefix = parsePrefix(range.prefix)
  return isPrefix(prefix) ? [{ prefix, class: range.class }] : []
})

function isPublic(prefix: Prefix): boolean {
  const isGlobal = prefix.bytes.length === 4 || (prefix.bytes[0] ?? 0) >> 5 === 1
  return isGlobal && !rows.some((row) => covers(prefix, row.prefix))
}

function covers(outer: Prefix, inner: Prefix): boolean {
  const first: IpAddress = { kind: 'address', bytes: inner.bytes, text: inner.text }
  return outer.length <= inner.length && prefixCovers(outer, first)
}

function checkFixedAnswers(egress: EgressSettings, findings: Findings): void {
  const guard = createAddressGuard({
    grants: egress.privateAddresses,
    ownListeners: () => [],
    ownAddresses: [],
  })
  for (const [name, addresses] of egress.hosts) {
    for (const address of addresses) {
      const refusal = guard.refuse({ host: { kind: 'name', name }, address, port: 443 })
      if (refusal === undefined) continue
      findings.warning(
        ['egress', 'hosts', name],
        `the guard refuses ${quote(address.text)} (${refusal}); grant it to ${quote(name)} in \`privateAddresses\``,
      )
    }
  }
}
