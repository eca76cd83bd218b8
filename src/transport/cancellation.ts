/**
 * What tells work that nobody waits for it any more. An `AbortSignal` is one as well; one of those costs an event, an
 * exception with its stack and several objects, which is more than all the rest of a short tunnel's own work.
 */
export interface CancelSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once: true }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** A `CancelSignal` and the means to give it. */
export class Cancellation implements CancelSignal {
  #aborted = false
  readonly #listeners: (() => void)[] = []

  get aborted(): boolean {
    return this.#aborted
  }

  /** Tells everybody who listens. A second call does nothing. */
  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    for (const listener of this.#listeners.splice(0)) listener()
  }

  /** Each is called once at most. */
  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.push(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const index = this.#listeners.indexOf(listener)
    if (index >= 0) this.#listeners.splice(index, 1)
  }
}
