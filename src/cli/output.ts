import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Writes text, line feeds included. Whoever writes much awaits what it returns: the reader has room again then. */
export type Write = (text: string) => unknown

/**
 * Wraps a standard stream. A reader that goes away (`ringfence decide | head`) is no error: from then on text goes
 * nowhere and the command ends as it would have.
 */
export function createWrite(stream: Writable): Write {
  let open = true
  const gone = new Promise<void>((resolve) => {
    stream.on('error', () => {
      open = false
      resolve()
    })
  })
  return (text) => {
    if (!open || stream.write(text)) return undefined
    return Promise.race([once(stream, 'drain').catch(() => undefined), gone])
  }
}
