import type { Duplex } from 'node:stream'
import { MiB } from '../units.ts'
import { cut } from './cut.ts'

/** Somebody who sends that much behind the last answer does not wait for it. */
const maxDiscardedBytes = 64 * MiB

/**
 * Takes a stream away from Node's HTTP parser for good: what still comes is dropped, and there is an end to that too. The
 * parser would go on and keep a pair of objects for each request, however many there are, as long as the connection
 * lives. Time is for the caller to limit.
 */
export function discardInput(stream: Duplex): void {
  let bytes = 0
  stream.removeAllListeners('data')
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    // An answer that is still on its way must not look whole.
    if (bytes > maxDiscardedBytes) cut(stream)
  })
  stream.resume()
}
