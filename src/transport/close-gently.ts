import type { Duplex } from 'node:stream'
import { seconds } from '../units.ts'
import { sharedDeadlines } from './deadlines.ts'
import { discardInput } from './discard.ts'

/** For a peer to take note of our end; after that it is cut off. */
const lingerMs = seconds(5)

/**
 * Ends our side and drops what the peer still sends until it ends too, for a short while. To close at once would make the
 * kernel answer bytes that nobody has read with a reset, which looks like a fault and may overtake our end.
 */
export function closeGently(stream: Duplex): void {
  if (endWithin(stream)) discardInput(stream)
}

/** The same where all has been read: it is gone as soon as everything is written. */
export function closeWritten(stream: Duplex): void {
  if (!endWithin(stream)) return
  if (stream.writableFinished) stream.destroy()
  else stream.once('finish', () => stream.destroy())
}

/** False: it is gone already. */
function endWithin(stream: Duplex): boolean {
  stream.end()
  if (stream.destroyed) return false
  const deadline = sharedDeadlines.watch({
    idleMs: lingerMs,
    lifetimeMs: lingerMs,
    onExpire: () => stream.destroy(),
  })
  stream.once('close', () => deadline.cancel())
  return true
}
