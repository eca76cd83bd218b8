import type { TunnelSlots } from './tunnel-slots.ts'

/** The slot of one tunnel, as long as it has one. */
export class HeldSlot {
  readonly #slots: TunnelSlots
  #resource: string | undefined

  constructor(slots: TunnelSlots) {
    this.#slots = slots
  }

  /**
   * Takes one of the resource (`ResourceId.key`), in place of the one it had. False: the resource has `limit` already. Ask
   * this and not first whether there is one: another thread may have the last by then.
   */
  take(resource: string, limit: number): boolean {
    this.release()
    if (!this.#slots.take(resource, limit)) return false
    this.#resource = resource
    return true
  }

  /** Gives it back, if it has one. */
  release(): void {
    if (this.#resource !== undefined) this.#slots.release(this.#resource)
    this.#resource = undefined
  }
}
