import type { Duplex } from 'node:stream'
import { seconds } from '../units.ts'
import { type Beginning, readBeginning } from '../wire/beginning.ts'
import { takeFirstBytes } from './first-bytes.ts'

const maxFirstLineMs = seconds(5)

/** Whoever sends a line in crumbs has that many. */
const maxFirstChunks = 64

/** What a client has said first, all of it. `silent`: it has gone or ended without a word. */
export interface FirstLine {
  readonly begins: Beginning | 'silent'
  readonly bytes: Buffer
}

/** Reads on until it is known what a client speaks that may speak HTTP; what is not known in time is `other`. */
export function takeFirstLine(
  client: Duplex,
  options: {
    readonly head: Buffer
    /** As of any head; at most 5 s. */
    readonly headerMs: number
    readonly done: (line: FirstLine) => void
  },
): { stop(): void } {
  const { head, headerMs, done } = options
  const chunks: Buffer[] = []
  let beginning: Beginning | undefined
  const whole = (): Buffer => (chunks.length === 1 && chunks[0]) || Buffer.concat(chunks)
  return takeFirstBytes(client, {
    head,
    timeoutMs: Math.min(headerMs, maxFirstLineMs),
    take(bytes) {
      chunks.push(bytes)
      beginning = readBeginning(whole())
      return beginning !== undefined || chunks.length >= maxFirstChunks
    },
    done(enough) {
      const isSilent = enough === 'gone' || (enough === 'ended' && chunks.length === 0)
      done({ begins: isSilent ? 'silent' : (beginning ?? 'other'), bytes: whole() })
    },
  })
}
