import { Socket } from 'node:net'
import { KiB } from '../../units.ts'

/** Everything that these sockets of this thread read goes through here, to be looked at and copied at once. */
export const sharedBuffer = Buffer.allocUnsafeSlow(64 * KiB)

/** Told of the first `length` bytes of the shared buffer, which the next read overwrites. False: no more until `resume`. */
export type Reader = (bytes: Buffer, length: number) => boolean

/**
 * A connection of ours whose bytes are never `data`: no memory is made for a read. Reads nothing before `readBy`. Has
 * `allowHalfOpen` and TCP_NODELAY.
 */
export class SharedReadSocket extends Socket {
  #reader: Reader | undefined

  constructor() {
    super({
      allowHalfOpen: true,
      noDelay: true,
      onread: {
        buffer: sharedBuffer,
        callback: (length) => this.#reader?.(sharedBuffer, length) ?? false,
      },
    })
    this.pause()
  }

  /** Who reads it from now on. */
  readBy(reader: Reader): void {
    this.#reader = reader
    this.resume()
  }
}
