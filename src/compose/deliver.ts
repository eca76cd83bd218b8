import type { Duplex } from 'node:stream'
import type { Deliver, Delivery } from '../identity/caller.ts'
import type { CurrentInForce } from '../settings/in-force.ts'

/** What of an inbound proxy takes deliveries. */
export interface Delivering {
  readonly name: string
  /** That it really listens on; undefined before. */
  readonly port: number | undefined
  deliver(delivery: Delivery): Duplex | undefined
}

/**
 * Joins the two sides: finds the inbound listener that has the port and serves the resource. A listener that settings
 * no longer name takes nothing. Public ones first: arriving over a private endpoint would be more than was asked for.
 */
export function createDeliver(
  proxies: readonly Delivering[],
  currentInForce: CurrentInForce,
): Deliver {
  return (resource, delivery) => {
    const listeners = currentInForce()?.settings.inbound ?? []
    const serving = listeners.filter(
      (listener) => listener.resource === undefined || listener.resource.key === resource.key,
    )
    for (const network of ['public', 'private'] as const) {
      for (const { name } of serving.filter((listener) => listener.network === network)) {
        const proxy = proxies.find((candidate) => candidate.name === name)
        if (proxy !== undefined && proxy.port === delivery.port) return proxy.deliver(delivery)
      }
    }
    return undefined
  }
}
