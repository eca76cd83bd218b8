import type { OpenConnections } from '../transport/connections.ts'

/** How many upgrades each resource (`ResourceId.key`) has open, those included that still wait for the back end. */
export class UpgradeSlots {
  readonly #taken = new Map<string, number>()

  taken(resource: string): number {
    return this.#taken.get(resource) ?? 0
  }

  take(resource: string): void {
    this.#taken.set(resource, this.taken(resource) + 1)
  }

  /** Once for each `take`. */
  release(resource: string): void {
    const taken = this.taken(resource)
    if (taken > 1) this.#taken.set(resource, taken - 1)
    else this.#taken.delete(resource)
  }
}

const slots = new WeakMap<OpenConnections, UpgradeSlots>()

/** One count for all listeners of an instance: they share what is open. */
export function upgradeSlotsOf(openConnections: OpenConnections): UpgradeSlots {
  const known = slots.get(openConnections)
  if (known !== undefined) return known
  const made = new UpgradeSlots()
  slots.set(openConnections, made)
  return made
}
