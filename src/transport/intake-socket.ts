import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { KiB } from '../units.ts'
import { freeWritten } from './free-written.ts'
import { type LargeBuffers, sharedLargeBuffers } from './large-buffers.ts'

/**
 * A connection of ours that is read for one other stream, through memory that is not its own:
 *
 *   kernel ─▶ the buffer of the thread ─ copy ─▶ stream      as a rule
 *   kernel ─▶ a leased large buffer ───────────▶ stream      while it is bulk: as long as reads leave no room
 *
 * So what is idle holds no buffer, and what is busy is read 256 KiB at a time without a copy.
 */

/** Where the bytes go. */
export interface Sink {
  readonly stream: Duplex
  /** Told how many come, before they are written. False: they are dropped. */
  take(bytes: number): boolean
}

/** Of the thread. An odd size: what is sent in round pieces must not look like more than there was room for. */
const shared = Buffer.allocUnsafeSlow(65 * KiB)

/**
 * Reads nothing before `pourInto`, and its bytes are never `data`. When its sink is full it stops, and whoever watches the
 * sink calls `resume` at its 'drain'. Has `allowHalfOpen` and TCP_NODELAY.
 */
export class IntakeSocket extends Socket {
  readonly #largeBuffers: LargeBuffers
  #sink: Sink | undefined
  #large: Buffer | undefined
  /**
   * The next read goes into the large one. No longer than reads fill it: whoever falls silent with it would keep it from
   * the others, for only a read can put another buffer in its place.
   */
  #isBulk = false
  /** The large one is being written. INVARIANT: nothing is read meanwhile. */
  #isWriting = false
  #onWritten: (() => void) | undefined
  /** What it stopped for, to be freed when that is written. */
  #waiting: Buffer | undefined

  constructor(largeBuffers: LargeBuffers = sharedLargeBuffers) {
    super({
      allowHalfOpen: true,
      noDelay: true,
      onread: {
        buffer: () => (this.#isBulk && this.#large !== undefined ? this.#large : shared),
        callback: (length, buffer) => this.#receive(length, buffer === this.#large),
      },
    })
    this.#largeBuffers = largeBuffers
    this.pause()
  }

  /** Where everything goes from now on. Called once, before it is resumed. */
  pourInto(sink: Sink): void {
    this.#sink = sink
  }

  override resume(): this {
    if (this.#isWriting || this.#sink === undefined) return this
    if (this.#waiting !== undefined) freeWritten(this.#waiting, this.#sink.stream)
    this.#waiting = undefined
    return super.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.leaveBulk()
    super._destroy(error, callback)
  }

  /** Nothing more comes: the large buffer is for others. */
  leaveBulk(): void {
    this.#isBulk = false
    if (!this.#isWriting) this.#giveBack()
  }

  /** Whether to read on. */
  #receive(length: number, isLarge: boolean): boolean {
    const sink = this.#sink
    if (sink?.take(length) !== true) return true
    if (isLarge && this.#large !== undefined) {
      return this.#write(this.#large.subarray(0, length), sink.stream)
    }
    if (length === shared.length) this.#enterBulk(sink.stream)
    // INVARIANT: nobody is ever given a part of the shared buffer, for the next read of any socket overwrites it.
    const copy = Buffer.allocUnsafe(length)
    shared.copy(copy, 0, 0, length)
    const isBelow = sink.stream.write(copy)
    const isOut = sink.stream.writableLength === 0
    if (isOut) freeWritten(copy, sink.stream)
    else if (!isBelow) this.#waiting = copy
    return isBelow || isOut
  }

  #write(bytes: Buffer, to: Duplex): boolean {
    this.#isWriting = true
    this.#isBulk = bytes.length === this.#large?.length
    this.#onWritten ??= () => {
      this.#isWriting = false
      if (!this.#isBulk) this.#giveBack()
      this.resume()
    }
    to.write(bytes, this.#onWritten)
    return to.writableLength === 0
  }

  #enterBulk(to: Duplex): void {
    // Another stream may pass on the very bytes, and somebody still has them when they count as written.
    if (!(to instanceof Socket)) return
    this.#large ??= this.#largeBuffers.lease()
    this.#isBulk = this.#large !== undefined
  }

  #giveBack(): void {
    if (this.#large === undefined) return
    this.#largeBuffers.giveBack(this.#large)
    this.#large = undefined
  }
}
