import { FieldKind } from './field-kind.ts'
import type { HeadOffsets } from './head-scan.ts'
import { smallBit, space, tab } from './octets.ts'

/**
 * Where the body of a scanned message ends (RFC 9112 6.3): one answer, whoever reads the message after us, or none.
 */

/** Anything from 0 is the length in bytes. */
export type Framing = number

/** Chunks say where it ends. */
export const chunked: Framing = -1
/** The end of the connection does; responses only. */
export const untilClose: Framing = -2
/** It could be read in more than one way, or is no framing. */
export const ambiguous: Framing = -3

const maxLengthDigits = 15
const chunkedCoding = Buffer.from('chunked', 'latin1')
const zero = 0x30
const nine = 0x39

/** The framing of a request. */
export function requestFraming(head: HeadOffsets, bytes: Uint8Array): Framing {
  const framing = statedFraming(head, bytes)
  return framing === untilClose ? 0 : framing
}

/** The framing of a final response to a request with `method`. */
export function responseFraming(head: HeadOffsets, bytes: Uint8Array, method: string): Framing {
  const framing = statedFraming(head, bytes)
  if (framing === ambiguous) return ambiguous
  return hasNoContent(head.status, method) ? 0 : framing
}

/** Responses that end with their head whatever its fields say (RFC 9112 6.3, 1 and 2). */
function hasNoContent(status: number, method: string): boolean {
  return method === 'HEAD' || status < 200 || status === 204 || status === 304
}

/** What the fields say; `untilClose` where they say nothing. */
function statedFraming(
  { count, kinds, fields, minorVersion }: HeadOffsets,
  bytes: Uint8Array,
): Framing {
  let framing = untilClose
  for (let index = 0; index < count; index++) {
    const kind = kinds[index]
    if (kind !== FieldKind.contentLength && kind !== FieldKind.transferEncoding) continue
    // Twice, or one beside the other: two readers could choose differently.
    if (framing !== untilClose) return ambiguous
    const from = fields[index * 4 + 2] ?? 0
    const to = fields[index * 4 + 3] ?? 0
    if (hasTabAround(bytes, fields[index * 4 + 1] ?? 0, from, to)) return ambiguous
    if (kind === FieldKind.contentLength) framing = readLength(bytes, from, to)
    // HTTP/1.0 knows no transfer codings (RFC 9112 6.1).
    else framing = minorVersion === 1 && isChunked(bytes, from, to) ? chunked : ambiguous
    if (framing === ambiguous) return ambiguous
  }
  return framing
}

/**
 * THREAT: a tab beside the value is white space to some readers and a part of it to others (`chunked` and a tab is no coding
 * to Node's parser), so that they find the end of the body in different places.
 */
function hasTabAround(bytes: Uint8Array, colonAt: number, from: number, to: number): boolean {
  for (let at = colonAt + 1; at < from; at++) if (bytes[at] === tab) return true
  for (let at = to; bytes[at] === space || bytes[at] === tab; at++)
    if (bytes[at] === tab) return true
  return false
}

function readLength(bytes: Uint8Array, from: number, to: number): Framing {
  if (to === from || to - from > maxLengthDigits) return ambiguous
  let length = 0
  for (let at = from; at < to; at++) {
    const digit = bytes[at] ?? 0
    if (digit < zero || digit > nine) return ambiguous
    length = length * 10 + digit - zero
  }
  return length
}

function isChunked(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== chunkedCoding.length) return false
  for (let index = 0; index < chunkedCoding.length; index++) {
    // Letters only in `chunkedCoding`, and no byte that a value may hold becomes one of them but its capital.
    if (((bytes[from + index] ?? 0) | smallBit) !== chunkedCoding[index]) return false
  }
  return true
}
