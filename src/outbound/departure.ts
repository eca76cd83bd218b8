import type { Duplex } from 'node:stream'

/** Watches for a client that goes away while somebody works for it. */
export interface Departure {
  /** Stops watching and leaves the stream as it would be had nobody looked. */
  stop(): void
}

/**
 * Watches a stream that nobody reads yet, without taking a byte from it: what the client sends early stays in the
 * stream, up to its high-water mark. Gone is whoever resets, closes, or ends without having sent anything; a client
 * that ends after early bytes has closed its half and is served. `onGone` may be called more than once.
 */
export function watchDeparture(
  client: Duplex,
  options: { readonly sentEarly: boolean; readonly onGone: () => void },
): Departure {
  const { sentEarly, onGone } = options
  // A read of nothing is what makes a stream notice its end.
  const look = (): void => {
    if (client.readableLength === 0) client.read(0)
  }
  // The listener alone keeps the stream reading, and so noticing a reset.
  const listen = sentEarly ? ignore : look
  client.on('readable', listen)
  if (!sentEarly) client.once('end', onGone)
  client.once('close', onGone)
  return {
    stop() {
      client.off('readable', listen)
      client.off('end', onGone)
      client.off('close', onGone)
    },
  }
}

function ignore(): void {
  // Nothing is taken.
}
