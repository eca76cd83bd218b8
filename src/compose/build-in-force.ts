import { networkInterfaces } from 'node:os'
import { deepFreeze } from '../documents/freeze.ts'
import type { Perimeter } from '../perimeter/perimeter.ts'
import { createAddressGuard, type OwnListener } from '../policy/address-guard.ts'
import { createPrivateArena } from '../policy/arena.ts'
import { compilePolicy } from '../policy/compile-policy.ts'
import { openPolicy } from '../policy/open-policy.ts'
import type { BackendAuthorities, InForce } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import { type IpAddress, parseAddress } from '../wire/address.ts'

export interface InForceInput {
  readonly settings: Settings
  readonly perimeters: readonly Perimeter[]
  /** Where this instance listens: it must not be talked into dialling itself. */
  readonly ownListeners: () => readonly OwnListener[]
  readonly backendAuthorities: BackendAuthorities
}

/**
 * Compiles and freezes everything that a decision reads. What it is given must not change any more.
 *
 * INVARIANT (equal versions decide equally): whatever of the settings has a say in a decision goes into the version.
 * What is open is judged again only where versions differ, so a field that is missing here would let something live on
 * that a reload has forbidden.
 */
export function buildInForce(input: InForceInput): InForce {
  const { settings, perimeters } = input
  const compiled = compilePolicy(
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
    createPrivateArena(),
  )
  const snapshot = openPolicy(compiled)
  const guard = createAddressGuard({
    grants: settings.egress.privateAddresses,
    ownListeners: input.ownListeners,
    ownAddresses: readOwnAddresses(),
  })
  return Object.freeze({
    version: snapshot.version,
    settings: deepFreeze(settings),
    snapshot,
    guard,
    backendAuthorities: input.backendAuthorities,
  })
}

/** Read anew at each reload: a pod or a laptop may have got another address. */
function readOwnAddresses(): readonly IpAddress[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => parseAddress(address.replace(/%.*$/, '')))
    .filter((address) => address !== undefined)
}
