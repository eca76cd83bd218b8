import { existsSync, readFileSync } from 'node:fs'
import type { BackendAuthorities, CurrentInForce, InForce } from '../../src/settings/in-force.ts'
import { parseProxyCredentials } from '../../src/settings/proxy-credentials.ts'
import type { Settings } from '../../src/settings/settings.ts'
import { createAddressGuard } from '../../src/policy/address-guard.ts'
import { compilePolicy } from './compile-policy.ts'
import { type InForceParts, perimeterFrom, settingsFrom } from './settings-parts.ts'

/** What is in force, built by hand for tests of the proxies. */
export function buildInForce(parts: InForceParts): InForce {
  const settings = settingsFrom(parts)
  const snapshot = compilePolicy({
    resources: settings.resources,
    perimeters: (parts.perimeters ?? []).map(perimeterFrom),
    egressPorts: settings.egress.ports,
    autoApprove: settings.links.autoApprove,
    deciding: parts,
  })
  const guard = createAddressGuard({
    grants: settings.egress.privateAddresses,
    ownListeners: () => [],
    ownAddresses: () => [],
    nat64: settings.egress.nat64,
  })
  const backendAuthorities = readAuthorities(settings)
  const { upstreamProxy } = settings.egress
  const proxyAuthorization = (): string | undefined =>
    upstreamProxy?.credentialsFile === undefined
      ? undefined
      : parseProxyCredentials(readFileSync(upstreamProxy.credentialsFile, 'utf8'))
  return {
    version: snapshot.version,
    settings,
    snapshot,
    guard,
    backendAuthorities,
    proxyAuthorization,
  }
}

/** What is not there is left out, which no policy in force ever is. */
function readAuthorities({ resources, egress }: Settings): BackendAuthorities {
  const ofBackends = resources.flatMap(({ backend }) => backend?.caFile ?? [])
  const files = [
    ...ofBackends,
    ...(egress.upstreamProxy?.caFile === undefined ? [] : [egress.upstreamProxy.caFile]),
  ]
  const found = files.filter((file) => existsSync(file))
  return new Map(found.map((file) => [file, readFileSync(file, 'utf8')]))
}

/** One reference to what is in force, which a test swaps as a reload would. */
export interface HeldInForce {
  readonly current: CurrentInForce
  /** Builds the next and swaps it in; returns its version. */
  swap(parts: InForceParts): string
  /** As before the first policy is loaded. */
  clear(): void
}

export function holdInForce(parts: InForceParts): HeldInForce {
  let held: InForce | undefined = buildInForce(parts)
  return {
    current: () => held,
    swap(next) {
      held = buildInForce(next)
      return held.version
    },
    clear() {
      held = undefined
    },
  }
}
