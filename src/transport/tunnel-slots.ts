import type { OpenConnections } from './connections.ts'

/** How many tunnels and upgrades each resource (`ResourceId.key`) has open, in and out, those being set up included. */
export interface TunnelSlots {
  taken(resource: string): number
  /** Takes one, or false where the resource has `limit` already. */
  take(resource: string, limit: number): boolean
  /** Gives one back. Once for each that was taken. */
  release(resource: string): void
}

export function createTunnelSlots(): TunnelSlots {
  const open = new Map<string, number>()
  const taken = (resource: string): number => open.get(resource) ?? 0
  return {
    taken,
    take(resource, limit) {
      const count = taken(resource)
      if (count >= limit) return false
      open.set(resource, count + 1)
      return true
    },
    release(resource) {
      const count = taken(resource)
      if (count > 1) open.set(resource, count - 1)
      else open.delete(resource)
    },
  }
}

/** For each resource, what each thread has open, in memory that all of them share. */
export type SharedSlots = ReadonlyMap<string, Int32Array>

/**
 * The same for one of several threads: the limit holds for all of them together. Each counts in a word of its own, so that
 * what a thread leaves behind can be taken off. Two that ask for the last slot at the same moment may both be refused,
 * and are never both let through. `shared` is asked anew each time; what it does not know gets none.
 */
export function createSharedTunnelSlots(own: number, shared: () => SharedSlots): TunnelSlots {
  const taken = (resource: string): number =>
    shared()
      .get(resource)
      ?.reduce((sum, _, thread, all) => sum + Atomics.load(all, thread), 0) ?? 0
  return {
    taken,
    take(resource, limit) {
      const counts = shared().get(resource)
      if (counts === undefined) return false
      Atomics.add(counts, own, 1)
      if (taken(resource) <= limit) return true
      Atomics.sub(counts, own, 1)
      return false
    },
    release(resource) {
      const counts = shared().get(resource)
      if (counts !== undefined) Atomics.sub(counts, own, 1)
    },
  }
}

const slots = new WeakMap<OpenConnections, TunnelSlots>()

/** One count for all listeners of an instance: they share what is open. */
export function tunnelSlotsOf(openConnections: OpenConnections): TunnelSlots {
  const known = slots.get(openConnections)
  if (known !== undefined) return known
  const made = createTunnelSlots()
  slots.set(openConnections, made)
  return made
}

/** Before anything of it is asked for. */
export function setTunnelSlots(openConnections: OpenConnections, given: TunnelSlots): void {
  slots.set(openConnections, given)
}
