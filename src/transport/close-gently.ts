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
  stream.end()
  if (stream.destroyed) return
  const deadline = sharedDeadlines.watch({
    idleMs: lingerMs,
    lifetimeMs: lingerMs,
    onExpire: () => stream.destroy(),
  })
  stream.once('close', () => deadline.cancel())
  discardInput(stream)
}
