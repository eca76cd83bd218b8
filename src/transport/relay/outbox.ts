import type { Duplex } from 'node:stream'
import { KiB } from '../../units.ts'

/**
 * What is sent in one turn of the loop leaves at its end, one stream after the other:
 *
 *   hold(stream), write ┐
 *   hold(stream), write ┴─ end of the turn ──▶ kernel ──▶ Sent.onSent
 *
 * So the peers, on other cores, are woken for all of it and not for each, and the code that reads and decides runs
 * without that of the kernel in between: a tenth of what a request costs.
 */

/** Told once what was held has been handed to the kernel, or waits for it. Must not throw. */
export interface Sent {
  onSent(): void
}

/** With so many the gain is made, and nobody waits longer than for these. */
const maxHeld = 32

/** The answers of a turn, short ones; what is longer has memory of its own. */
const memoryBytes = 64 * KiB

/** `sharedOutbox` is the one in use; others are for tests. */
export class Outbox {
  /**
   * For bytes that are written to held sockets of the kernel, from `at` on; the writer adds to that. It is used again
   * once the kernel has taken everything.
   */
  memory: Buffer = Buffer.allocUnsafeSlow(memoryBytes)
  at = 0
  readonly #schedule: (send: () => void) => unknown
  readonly #held: Duplex[] = []
  #waiting: Sent[] = []
  #isScheduled = false

  constructor(schedule: (send: () => void) => unknown = setImmediate) {
    this.#schedule = schedule
  }

  /** What is written to the stream from now on leaves at the end of this turn, or earlier if the stream is ended. */
  hold(stream: Duplex): void {
    if (this.#held.length === maxHeld) this.#uncork()
    // The stream counts: each `cork` has its `uncork`, whoever else corks it.
    stream.cork()
    this.#held.push(stream)
    if (!this.#isScheduled) this.#scheduleSend()
  }

  /** Tells it at the end of this turn. */
  whenSent(sent: Sent): void {
    this.#waiting.push(sent)
    if (!this.#isScheduled) this.#scheduleSend()
  }

  /** Sees to so many bytes from `at` on, at most `memoryBytes`. */
  reserve(bytes: number): void {
    if (this.at + bytes > memoryBytes) this.#renew()
  }

  #scheduleSend(): void {
    this.#isScheduled = true
    this.#schedule(this.#send)
  }

  readonly #send = (): void => {
    this.#isScheduled = false
    this.#uncork()
    const waiting = this.#waiting
    this.#waiting = []
    for (const sent of waiting) sent.onSent()
  }

  #uncork(): void {
    for (const stream of this.#held) stream.uncork()
    // INVARIANT: what waits to be written is not touched, for the system would send what is put there next.
    if (this.at > 0) {
      if (this.#held.every(isTaken)) this.at = 0
      else this.#renew()
    }
    this.#held.length = 0
  }

  #renew(): void {
    this.memory = Buffer.allocUnsafeSlow(memoryBytes)
    this.at = 0
  }
}

function isTaken({ writableLength }: Duplex): boolean {
  return writableLength === 0
}

/** Of this thread. */
export const sharedOutbox: Outbox = new Outbox()
