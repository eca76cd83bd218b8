import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import { type IpAddress, parseAddress } from '../wire/address.ts'
import { parseAuthority } from '../wire/authority.ts'
import { type Hostname, parseHostname, parseNamePattern } from '../wire/hostname.ts'
import { readPrefixes } from './read-prefixes.ts'
import type { SettingsValue } from './schema.ts'
import type { EgressSettings, PrivateAddressGrant } from './settings.ts'

/** Reads `egress`. */
export function readEgress(value: SettingsValue['egress'], findings: Findings): EgressSettings {
  const path: Path = ['egress']
  return {
    ports: value.ports,
    privateAddresses: readGrants(value.privateAddresses, {
      path: [...path, 'privateAddresses'],
      findings,
    }),
    hosts: readFixedAnswers(value.hosts, { path: [...path, 'hosts'], findings }),
    nameservers: readNameservers(value.nameservers, { path: [...path, 'nameservers'], findings }),
  }
}

interface Context {
  readonly path: Path
  readonly findings: Findings
}

function readGrants(
  value: SettingsValue['egress']['privateAddresses'],
  { path, findings }: Context,
): readonly PrivateAddressGrant[] {
  return Object.entries(value).flatMap(([key, texts]) => {
    const place = [...path, key]
    const name = parseNamePattern(key)
    if (name === undefined) {
      findings.error(
        place,
        `${quote(key)} is no name; write a lower-case name, or \`*.\` and one of at least two labels`,
        'key',
      )
    }
    const prefixes = readPrefixes(texts, { path: place, findings })
    return name === undefined ? [] : [{ name, prefixes }]
  })
}

function readFixedAnswers(
  value: SettingsValue['egress']['hosts'],
  { path, findings }: Context,
): ReadonlyMap<Hostname, readonly IpAddress[]> {
  const answers = new Map<Hostname, readonly IpAddress[]>()
  for (const [key, texts] of Object.entries(value)) {
    const place = [...path, key]
    const name = parseHostname(key)
    if (name === undefined) {
      findings.error(
        place,
        `${quote(key)} is no host name; fixed answers are for exact names`,
        'key',
      )
    } else if (answers.has(name)) {
      findings.error(place, `the name ${quote(name)} occurs twice`, 'key')
    }
    const addresses = texts.flatMap((text, index) => {
      const address = parseAddress(text)
      if (address !== undefined) return [address]
      findings.error(
        [...place, index],
        `${quote(text)} is no IP address; write one address, without a length`,
      )
      return []
    })
    if (name !== undefined && !answers.has(name)) answers.set(name, addresses)
  }
  return answers
}

function readNameservers(texts: readonly string[], { path, findings }: Context): readonly string[] {
  return texts.filter((text, index) => {
    if (parseAddress(text) !== undefined) return true
    const authority = parseAuthority(text)
    if (authority?.host.kind === 'address') return true
    findings.error(
      [...path, index],
      `${quote(text)} is no name server; write \`address\`, \`address:port\` or \`[address]:port\``,
    )
    return false
  })
}
