import type { Duplex } from 'node:stream'
import { KiB } from '../units.ts'
import { isKernelSocket } from './kernel-socket.ts'

/** Below this the collector is as cheap. */
const minBytes = 16 * KiB

/**
 * Gives the memory of bytes back at once that have been written to `to` and that nobody else has. Left to the
 * collector, it comes back 100 MB later: each read then goes to memory that no cache knows, at 1.5 times the cost.
 *
 * Only where the kernel has taken all of them. INVARIANT: what waits to be written is not touched, for the system would
 * read memory that is no longer ours; and a stream that is no socket of the kernel may pass on the very bytes.
 */
export function freeWritten(bytes: Buffer, to: Duplex): void {
  if (bytes.length < minBytes || to.writableLength > 0 || to.destroyed) return
  if (!isKernelSocket(to)) return
  const { buffer } = bytes
  // Part of something larger otherwise.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length) buffer.transfer(0)
}
