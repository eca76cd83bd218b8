import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/**
 * Closes a stream at once and so that the peer cannot take the cut for an end of data: with a reset where TCP allows it;
 * under TLS the missing `close_notify` says the same (RFC 8446 6.1). What still waits to be written is dropped.
 *
 * Every cut goes through here: libuv refuses to reset while a shutdown is under way, and Node then forgets the handle
 * without closing it. One such handle is a leak for as long as the process lives, and when it ends by itself Node waits
 * for the handle for ever, at full load.
 */
export function cut(stream: Duplex): void {
  const isShuttingDown =
    stream.writableEnded && !stream.writableFinished && stream.writableLength === 0
  if (stream.destroyed) return
  if (stream instanceof Socket && !(stream instanceof TLSSocket) && !isShuttingDown) {
    try {
      stream.resetAndDestroy()
      return
    } catch {
      // A Unix socket, which knows no reset.
    }
  }
  stream.destroy()
}
