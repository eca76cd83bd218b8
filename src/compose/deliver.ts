import type { Duplex } from 'node:stream'
import type { Deliver, Delivery } from '../identity/caller.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { CurrentInForce } from '../settings/in-force.ts'
import type { InboundListener } from '../settings/settings.ts'
import type { Bound } from './bound.ts'

/** What of an inbound proxy takes deliveries. */
export interface Delivering {
  readonly name: string
  deliver(delivery: Delivery): Duplex
}

/**
 * Joins the two sides: finds the inbound listener that has the port and serves the resource. A listener that settings
 * no longer name takes nothing. Public ones first: arriving over a private endpoint would be more than was asked for.
 */
export function createDeliver(
  proxies: readonly Delivering[],
  given: { readonly bound: readonly Bound[]; readonly currentInForce: CurrentInForce },
): Deliver {
  return (resource, delivery) => {
    const inForce = given.currentInForce()
    const backend = inForce?.snapshot.resources.get(resource.key)?.resource?.backend
    const protocol = backend?.scheme === 'tcp' ? 'tcp' : 'http'
    const serving = (inForce?.settings.inbound ?? []).filter((listener) =>
      serves(listener, { resource, protocol }),
    )
    for (const network of ['public', 'private'] as const) {
      for (const { name } of serving.filter((listener) => listener.network === network)) {
        if (portOf(given.bound, name) !== delivery.port) continue
        return proxies.find((proxy) => proxy.name === name)?.deliver(delivery)
      }
    }
    return undefined
  }
}

/** A listener without a resource chooses by Host, which only HTTP has. */
function serves(
  listener: InboundListener,
  asked: { readonly resource: ResourceId; readonly protocol: InboundListener['protocol'] },
): boolean {
  const isFor = listener.resource === undefined || listener.resource.key === asked.resource.key
  return isFor && listener.protocol === asked.protocol
}

function portOf(bound: readonly Bound[], name: string): number | undefined {
  const found = bound.find((one) => one.side === 'inbound' && one.name === name)
  return found === undefined || 'socket' in found.address ? undefined : found.address.port
}
