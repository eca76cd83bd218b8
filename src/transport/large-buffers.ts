import { KiB } from '../units.ts'

/** As much as a read of a busy connection brings over a fast network; haproxy and Node alike gain little beyond. */
const largeBytes = 256 * KiB

/** 8 MiB, resident only as far as that many have ever been busy at once. */
const defaultLimit = 32

/** A bounded set of large buffers: whoever finds none free does without. */
export class LargeBuffers {
  readonly #limit: number
  /** The last one given back goes out first: it is the one most likely in a cache. */
  readonly #free: Buffer[] = []
  #made = 0

  constructor(limit = defaultLimit) {
    this.#limit = limit
  }

  /** How many are out. */
  get leased(): number {
    return this.#made - this.#free.length
  }

  /** Undefined where all are out. Holds whatever it held before. */
  lease(): Buffer | undefined {
    const free = this.#free.pop()
    if (free !== undefined || this.#made >= this.#limit) return free
    this.#made++
    return Buffer.allocUnsafeSlow(largeBytes)
  }

  /** Once for each that was leased, when nothing reads into it or writes from it any more. */
  giveBack(buffer: Buffer): void {
    this.#free.push(buffer)
  }
}

/** Those of this thread. */
export const sharedLargeBuffers: LargeBuffers = new LargeBuffers()
