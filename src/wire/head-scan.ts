import { fieldKindOf } from './field-kind.ts'
import {
  carriageReturn,
  colon,
  isTargetByte,
  isTextByte,
  isTokenByte,
  lineFeed,
  space,
  tab,
} from './octets.ts'

/**
 * Finds the parts of an HTTP/1 message head in its bytes, in one pass, strictly (RFC 9112 2.2, 3, 4, 5): CRLF and nothing
 * else ends a line, one space stands between the parts of a start line, no space before a colon, no folded lines, no
 * controls. Nothing is repaired and nothing is made: what a caller needs, it cuts out by the offsets.
 *
 *   METHOD SP target SP HTTP/1.x CRLF        HTTP/1.x SP status [SP phrase] CRLF
 *   name ":" OWS value OWS CRLF …            name ":" OWS value OWS CRLF …
 *   CRLF                                     CRLF
 */

/** Where everything is. Owned by whoever scans, filled anew by each scan; offsets are into the bytes of that scan. */
export class HeadOffsets {
  /** Four for each field line: name from and to, value from and to, white space around the value left out. */
  readonly fields: Int32Array
  /** A `FieldKind` for each field line. */
  readonly kinds: Uint8Array
  /** Field lines. */
  count = 0
  /** Where the start line's two parts are; the second is unused for responses. */
  methodStart = 0
  methodEnd = 0
  targetStart = 0
  targetEnd = 0
  /** Where the first field line begins. */
  fieldsStart = 0
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minorVersion = 1
  /** Of a response. */
  status = 0

  /** For heads of at most so many field lines. */
  constructor(capacity: number) {
    this.fields = new Int32Array(capacity * 4)
    this.kinds = new Uint8Array(capacity)
  }
}

/** More bytes are needed. */
export const incomplete = 0
/** No request or response begins like this. */
export const malformed = -1
/** More field lines than there is room for. */
export const tooManyFields = -2

const zero = 0x30
const nine = 0x39

const versionPrefix = Buffer.from('HTTP/1.', 'latin1')

/** Bytes of a message: `start` to `end`, which may be the middle of a head. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** The offset behind the request line that begins at `start`, or `incomplete` or `malformed`. */
export function scanRequestLine(
  head: HeadOffsets,
  bytes: Uint8Array,
  { start, end }: Span,
): number {
  let at = start
  while (at < end && isTokenByte[bytes[at] ?? 0] === 1) at++
  if (at === end) return incomplete
  if (bytes[at] !== space || at === start) return malformed
  head.methodStart = start
  head.methodEnd = at
  head.targetStart = ++at
  while (at < end && isTargetByte[bytes[at] ?? 0] === 1) at++
  if (at === end) return incomplete
  if (bytes[at] !== space || at === head.targetStart) return malformed
  head.targetEnd = at
  const versionEnd = readVersion(head, bytes, { start: at + 1, end })
  return versionEnd <= 0 ? versionEnd : readLineEnd(bytes, versionEnd, end)
}

/** The offset behind the whole head of a response that begins at `start`, or `incomplete`, `malformed`, `tooManyFields`. */
export function scanResponseHead(
  head: HeadOffsets,
  bytes: Uint8Array,
  { start, end }: Span,
): number {
  const versionEnd = readVersion(head, bytes, { start, end })
  if (versionEnd <= 0) return versionEnd
  if (end - versionEnd < statusLength) return incomplete
  if (bytes[versionEnd] !== space) return malformed
  let status = 0
  let at = versionEnd + 1
  for (; at < versionEnd + statusLength; at++) {
    const digit = bytes[at] ?? 0
    if (digit < zero || digit > nine) return malformed
    status = status * 10 + digit - zero
  }
  if (status < 100) return malformed
  head.status = status
  // The phrase is nobody's to read: it may be missing, and so may its space.
  if (bytes[at] === space) while (at < end && isTextByte[bytes[at] ?? 0] === 1) at++
  if (at === end) return incomplete
  const lineEnd = readLineEnd(bytes, at, end)
  return lineEnd <= 0 ? lineEnd : scanFields(head, bytes, { start: lineEnd, end })
}

/** A space and three digits. */
const statusLength = 4

/** `HTTP/1.0` or `HTTP/1.1`: the offset behind it. */
function readVersion(head: HeadOffsets, bytes: Uint8Array, { start, end }: Span): number {
  for (let index = 0; index < versionPrefix.length; index++) {
    if (start + index === end) return incomplete
    if (bytes[start + index] !== versionPrefix[index]) return malformed
  }
  const at = start + versionPrefix.length
  if (at === end) return incomplete
  const minor = (bytes[at] ?? 0) - zero
  if (minor !== 0 && minor !== 1) return malformed
  head.minorVersion = minor
  return at + 1
}

function readLineEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at === end) return incomplete
  if (bytes[at] !== carriageReturn) return malformed
  if (at + 1 === end) return incomplete
  return bytes[at + 1] === lineFeed ? at + 2 : malformed
}

/** The offset behind the field lines that begin at `start` and the empty line that ends them, or the same as above. */
export function scanFields(head: HeadOffsets, bytes: Uint8Array, { start, end }: Span): number {
  const { fields, kinds } = head
  head.fieldsStart = start
  let count = 0
  let at = start
  for (;;) {
    if (at === end) return incomplete
    if (bytes[at] === carriageReturn) {
      head.count = count
      return readLineEnd(bytes, at, end)
    }
    if (count === kinds.length) return tooManyFields
    const nameStart = at
    while (at < end && isTokenByte[bytes[at] ?? 0] === 1) at++
    if (at === end) return incomplete
    if (bytes[at] !== colon || at === nameStart) return malformed
    const nameEnd = at++
    while (at < end && (bytes[at] === space || bytes[at] === tab)) at++
    const valueStart = at
    while (at < end && isTextByte[bytes[at] ?? 0] === 1) at++
    let valueEnd = at
    while (valueEnd > valueStart && isOws(bytes[valueEnd - 1])) valueEnd--
    const lineEnd = readLineEnd(bytes, at, end)
    if (lineEnd <= 0) return lineEnd
    const index = count * 4
    fields[index] = nameStart
    fields[index + 1] = nameEnd
    fields[index + 2] = valueStart
    fields[index + 3] = valueEnd
    kinds[count++] = fieldKindOf(bytes, nameStart, nameEnd)
    at = lineEnd
  }
}

function isOws(byte: number | undefined): boolean {
  return byte === space || byte === tab
}
