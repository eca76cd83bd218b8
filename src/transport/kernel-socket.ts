import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/**
 * Whether what is written to a stream goes to the kernel and nowhere else: once nothing waits to be written, nobody has
 * the bytes any more. Another stream may pass on the very bytes.
 */
export function isKernelSocket(stream: Duplex): boolean {
  return stream instanceof Socket && !(stream instanceof TLSSocket)
}
