import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import { validatePrefix } from '../perimeter/validate-prefix.ts'
import { type AddressGuard, createAddressGuard } from '../policy/address-guard.ts'
import { type IpAddress, parseAddress, type Prefix } from '../wire/address.ts'
import { parseAuthority } from '../wire/authority.ts'
import { type Hostname, parseHostname, parseNamePattern } from '../wire/hostname.ts'
import { checkGrant, checkNat64, checkPorts } from './check-egress.ts'
import { readUpstreamProxy } from './read-upstream-proxy.ts'
import type { SettingsValue } from './schema.ts'
import { mayBeDirect } from './no-proxy.ts'
import type { EgressSettings, PrivateAddressGrant, UpstreamProxy } from './settings.ts'

/** Reads `egress`. What is wrong is reported and left out. */
export function readEgress(
  value: SettingsValue['egress'],
  { directory, findings }: { readonly directory: string; readonly findings: Findings },
): EgressSettings {
  const path: Path = ['egress']
  const privateAddresses = readGrants(value.privateAddresses, {
    path: [...path, 'privateAddresses'],
    findings,
  })
  const nat64 = readNat64(value.nat64, { path: [...path, 'nat64'], findings })
  checkPorts(value.ports, { path: [...path, 'ports'], findings })
  const upstreamProxy =
    value.upstreamProxy === undefined
      ? undefined
      : readUpstreamProxy(value.upstreamProxy, {
          path: [...path, 'upstreamProxy'],
          findings,
          directory,
        })
  if (upstreamProxy !== undefined) checkProxied(value, { path, findings, upstreamProxy })
  return {
    ports: value.ports,
    privateAddresses,
    hosts: readFixedAnswers(value.hosts, {
      path: [...path, 'hosts'],
      findings,
      guard: createAddressGuard({
        grants: privateAddresses,
        ownListeners: () => [],
        ownAddresses: () => [],
        nat64,
      }),
    }),
    nameservers: readNameservers(value.nameservers, { path: [...path, 'nameservers'], findings }),
    tls: value.tls,
    nat64,
    upstreamProxy,
  }
}

/** Says where an address is given or granted to a name that is not resolved here. */
function checkProxied(
  value: SettingsValue['egress'],
  context: Context & { readonly upstreamProxy: UpstreamProxy },
): void {
  const { path, findings, upstreamProxy } = context
  for (const key of ['hosts', 'privateAddresses'] as const) {
    for (const text of Object.keys(value[key])) {
      const name = parseHostname(text)
      if (name === undefined || mayBeDirect(upstreamProxy.noProxy, name)) continue
      const message = `${quote(text)} is asked of the upstream proxy, where this has no effect; add it to \`noProxy\``
      findings.warning([...path, key, text], message, 'key')
    }
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
      const advice = 'write a lower-case name, or `*.` and one of at least two labels'
      findings.error(place, `${quote(key)} is no name; ${advice}`, 'key')
    }
    const prefixes = texts.flatMap((text, index) => {
      const at = { path: [...place, index], findings }
      const checked = validatePrefix(text)
      if (checked.kind === 'invalid') {
        findings.error(at.path, checked.message)
        return []
      }
      if (name !== undefined) checkGrant({ name, prefix: checked.value }, at)
      return [checked.value]
    })
    return name === undefined ? [] : [{ name, prefixes }]
  })
}

function readFixedAnswers(
  value: SettingsValue['egress']['hosts'],
  { path, findings, guard }: Context & { readonly guard: AddressGuard },
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
      continue
    }
    if (answers.has(name)) findings.error(place, `the name ${quote(name)} occurs twice`, 'key')
    const addresses = texts.flatMap((text, index) => {
      const at = { path: [...place, index], findings }
      const address = parseAddress(text)
      if (address === undefined) {
        findings.error(
          at.path,
          `${quote(text)} is no IP address; write one address, without a length`,
        )
        return []
      }
      const refusal = guard.refuse({ host: { kind: 'name', name }, address, port: anyPort })
      if (refusal !== undefined) {
        const advice = `grant it to ${quote(name)} in \`privateAddresses\``
        findings.warning(at.path, `the guard refuses ${quote(text)} (${refusal.detail}); ${advice}`)
      }
      return [address]
    })
    answers.set(name, addresses)
  }
  return answers
}

/** The guard asks for a port only because of this instance's own listeners, which are none here. */
const anyPort = 443

function readNat64(texts: readonly string[], { path, findings }: Context): readonly Prefix[] {
  return texts.flatMap((text, index) => {
    const at = { path: [...path, index], findings }
    const checked = validatePrefix(text)
    if (checked.kind === 'invalid') {
      findings.error(at.path, checked.message)
      return []
    }
    return checkNat64(checked.value, at) ? [checked.value] : []
  })
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
