import type { Delivery } from '../identity/caller.ts'

const used = new WeakSet<Delivery>()

/**
 * The id of the next thing on a connection: that of a delivery, which both sides log. Another instance may send several
 * requests on one stream, of which it has told the id of the first.
 */
export function correlationIdOf(delivery: Delivery | undefined, newId: () => string): string {
  if (delivery === undefined) return newId()
  if (delivery.remote === undefined) return delivery.correlationId
  if (used.has(delivery)) return newId()
  used.add(delivery)
  return delivery.correlationId
}
