import { networkInterfaces } from 'node:os'
import { deepFreeze } from '../documents/freeze.ts'
import type { Perimeter } from '../perimeter/perimeter.ts'
import { createAddressGuard, type OwnListener } from '../policy/address-guard.ts'
import { type Arena, createPrivateArena } from '../policy/arena.ts'
import { compilePolicy } from '../policy/compile-policy.ts'
import type { CompiledPolicy } from '../policy/compiled-policy.ts'
import { openPolicy } from '../policy/open-policy.ts'
import type { BackendAuthorities, InForce } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import { type IpAddress, parseAddress } from '../wire/address.ts'

export interface InForceInput {
  readonly settings: Settings
  readonly perimeters: readonly Perimeter[]
  readonly backendAuthorities: BackendAuthorities
}

/** Everything that a decision reads, as it goes from the thread that compiled it to those that decide by it. */
export interface CompiledInForce {
  readonly settings: Settings
  readonly policy: CompiledPolicy
  /** Of this machine. */
  readonly ownAddresses: readonly IpAddress[]
  readonly backendAuthorities: BackendAuthorities
}

/**
 * Compiles everything that a decision reads, its tables into the arena. What it is given must not change any more.
 *
 * INVARIANT (equal versions decide equally): whatever of the settings has a say in a decision goes into the version.
 * What is open is judged again only where versions differ, so a field that is missing here would let something live on
 * that a reload has forbidden.
 */
export function compileInForce(input: InForceInput, arena: Arena): CompiledInForce {
  const { settings, perimeters, backendAuthorities } = input
  const policy = compilePolicy(
    {
      resources: settings.resources,
      perimeters,
      egressPorts: settings.egress.ports,
      autoApprove: settings.links.autoApprove,
      deciding: {
        identity: settings.identity,
        inbound: settings.inbound.map(
          ({ name, protocol, network, clients, resource, trustedProxies, forwardedHeader }) => ({
            name,
            protocol,
            network,
            clients,
            resource,
            trustedProxies,
            forwardedHeader,
          }),
        ),
        outbound: settings.outbound.map(({ name, resource, clients }) => ({
          name,
          resource,
          clients,
        })),
        egress: settings.egress,
      },
    },
    arena,
  )
  return { settings, policy, ownAddresses: readOwnAddresses(), backendAuthorities }
}

/** Both in one, for this thread alone. */
export function buildInForce(
  input: InForceInput & { readonly ownListeners: () => readonly OwnListener[] },
): InForce {
  return openInForce(compileInForce(input, createPrivateArena()), input.ownListeners)
}

/**
 * Freezes what was compiled, here or on another thread. `ownListeners` is where this instance listens: it must not be
 * talked into dialling itself. Throws what `openPolicy` throws.
 */
export function openInForce(
  { settings, policy, ownAddresses, backendAuthorities }: CompiledInForce,
  ownListeners: () => readonly OwnListener[],
): InForce {
  const snapshot = openPolicy(policy)
  const guard = createAddressGuard({
    grants: settings.egress.privateAddresses,
    ownListeners,
    ownAddresses,
  })
  return Object.freeze({
    version: snapshot.version,
    settings: deepFreeze(settings),
    snapshot,
    guard,
    backendAuthorities,
  })
}

/** Read anew at each reload: a pod or a laptop may have got another address. */
function readOwnAddresses(): readonly IpAddress[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => parseAddress(address.replace(/%.*$/, '')))
    .filter((address) => address !== undefined)
}
