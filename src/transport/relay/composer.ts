import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { KiB } from '../../units.ts'
import { isKernelSocket } from '../kernel-socket.ts'
import type { Body } from './body.ts'
import { type Outbox, sharedOutbox } from './outbox.ts'

/** What is longer is not worth a copy into memory that others share. */
const maxShared = 16 * KiB

/** Of whoever said how much room there must be. Half a message is worse than none. */
const tooSmall = 'there is less room than was asked for'

/**
 * A message that is put together from pieces and written in one, at the end of the turn:
 *
 *   begin ─ text, copy … ─ send ──▶ stream
 *
 * Short ones for the kernel are put together in the memory of the outbox, and leave nothing for the collector.
 */
export class Composer {
  readonly #outbox: Outbox
  #stream: Duplex | undefined
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0
  #at = 0

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** `room`: bytes, at least what comes. Nothing else may be composed before `send`. */
  begin(stream: Duplex, room: number): void {
    this.#stream = stream
    if (room <= maxShared && isKernelSocket(stream)) {
      this.#outbox.reserve(room)
      this.#bytes = this.#outbox.memory
      this.#start = this.#outbox.at
    } else {
      this.#bytes = Buffer.allocUnsafe(room)
      this.#start = 0
    }
    this.#at = this.#start
  }

  /** Latin-1, best a string in one piece. */
  text(text: string): void {
    const written = this.#bytes.write(text, this.#at, 'latin1')
    assert(written === text.length, tooSmall)
    this.#at += written
  }

  copy(source: Buffer, from: number, to: number): void {
    const copied = source.copy(this.#bytes, this.#at, from, to)
    assert(copied === to - from, tooSmall)
    this.#at += copied
  }

  /** What the body's last `take` found in the source. */
  body(body: Body, source: Buffer): void {
    const { framedBytes } = body
    assert(this.#at + framedBytes <= this.#bytes.length, tooSmall)
    body.copyTo(this.#bytes, this.#at, source)
    this.#at += framedBytes
  }

  /** False: the stream takes no more for now. */
  send(): boolean {
    const stream = this.#stream
    if (stream === undefined) return false
    this.#stream = undefined
    const bytes = this.#bytes.subarray(this.#start, this.#at)
    const isShared = this.#bytes === this.#outbox.memory
    this.#outbox.hold(stream)
    // INVARIANT: behind what is held. Holding may have sent what others held, but not this.
    if (isShared && this.#bytes === this.#outbox.memory) this.#outbox.at = this.#at
    return stream.write(bytes)
  }
}

/** Of this thread. */
export const sharedComposer: Composer = new Composer(sharedOutbox)
