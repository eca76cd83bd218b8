import type { Writable } from 'node:stream'

/** Writes text, line feeds included. */
export type Write = (text: string) => void

/**
 * Wraps a standard stream. A reader that goes away (`ringfence check | head`) is no error: from then on text goes
 * nowhere and the command ends as it would have.
 */
export function createWrite(stream: Writable): Write {
  let open = true
  stream.on('error', () => {
    open = false
  })
  return (text) => {
    if (open) stream.write(text)
  }
}
