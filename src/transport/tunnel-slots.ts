import type { OpenConnections } from './connections.ts'

/** How many tunnels and upgrades each resource (`ResourceId.key`) has open, in and out, those being set up included. */
export class TunnelSlots {
  readonly #taken = new Map<string, number>()

  taken(resource: string): number {
    return this.#taken.get(resource) ?? 0
  }

  /** Takes one, or false where the resource has `limit` already. */
  take(resource: string, limit: number): boolean {
    const taken = this.taken(resource)
    if (taken >= limit) return false
    this.#taken.set(resource, taken + 1)
    return true
  }

  /** Gives one back. Once for each that was taken. */
  release(resource: string): void {
    const taken = this.taken(resource)
    if (taken > 1) this.#taken.set(resource, taken - 1)
    else this.#taken.delete(resource)
  }
}

const slots = new WeakMap<OpenConnections, TunnelSlots>()

/** One count for all listeners of an instance: they share what is open. */
export function tunnelSlotsOf(openConnections: OpenConnections): TunnelSlots {
  const known = slots.get(openConnections)
  if (known !== undefined) return known
  const made = new TunnelSlots()
  slots.set(openConnections, made)
  return made
}
