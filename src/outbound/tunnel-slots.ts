/** How many tunnels and upgrades each resource has open, dialling ones included. */
export class TunnelSlots {
  readonly #taken = new Map<string, number>()

  /** Takes one for the resource (`ResourceId.key`), or false where it has `limit` already. */
  take(resource: string, limit: number): boolean {
    const taken = this.#taken.get(resource) ?? 0
    if (taken >= limit) return false
    this.#taken.set(resource, taken + 1)
    return true
  }

  /** Gives one back. Once for each that was taken. */
  release(resource: string): void {
    const taken = this.#taken.get(resource) ?? 0
    if (taken > 1) this.#taken.set(resource, taken - 1)
    else this.#taken.delete(resource)
  }
}
