import { STATUS_CODES } from 'node:http'
import { bindsConnection } from '../../wire/connection-sharing.ts'
import { FieldKind } from '../../wire/field-kind.ts'
import { chunked, type Framing, untilClose } from '../../wire/framing.ts'
import type { HeadOffsets } from '../../wire/head-scan.ts'
import { connectionOptions, isHopByHop } from '../../wire/headers.ts'
import { latin1 } from '../../wire/octets.ts'
import type { Composer } from './composer.ts'

/**
 * The head of an answer as the client gets it, cut out of the back end's: its field lines as they came, less those for
 * the next hop only and those that Connection names (RFC 9110 7.6.1), then ours. The phrase is the standard one: the
 * back end's own is nobody's to read.
 */

export interface AnswerHead {
  /** HTTP/1.0 clients read no chunks. */
  readonly clientVersion: '1.0' | '1.1'
  /** How the body comes from the back end. */
  readonly framing: Framing
  readonly correlationId: string
  /** Complete lines. */
  readonly ownLines: string
  /** The last answer of its connection. */
  readonly isLast: boolean
}

const statusLines = new Map<number, string>()

/** Latin-1 text, its line end included. */
function statusLine(status: number): string {
  const known = statusLines.get(status)
  if (known !== undefined) return known
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`
  statusLines.set(status, line)
  return line
}

let dateLine = ''
let dateSecond = 0

/** RFC 9110 6.6.1: whoever passes on an answer without a date gives it one. */
export function currentDateLine(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`
  }
  return dateLine
}

/** Whether an answer's body is sent in chunks: where it comes in chunks or ends with the connection. */
export function isSentInChunks(framing: Framing, clientVersion: '1.0' | '1.1'): boolean {
  return clientVersion === '1.1' && (framing === chunked || framing === untilClose)
}

/** Bytes of whatever is ours in a head: lines that are longer have a room of their own. */
const roomForOurs = 512

/** Room that a head may need at most, which ends at `headEnd` of the bytes that it is cut out of. */
export function answerHeadRoom(headEnd: number, { correlationId, ownLines }: AnswerHead): number {
  return headEnd + roomForOurs + 2 * correlationId.length + ownLines.length
}

/** The same for an informational one. */
export function informationalRoom(headEnd: number): number {
  return headEnd + roomForOurs
}

/** The empty line included. */
export function composeAnswerHead(
  out: Composer,
  { head, bytes, answer }: { head: HeadOffsets; bytes: Buffer; answer: AnswerHead },
): void {
  const { framing, correlationId, clientVersion, ownLines } = answer
  const hasNoLength = head.status === noContent || framing < 0
  out.text(statusLine(head.status))
  composeKeptLines(out, { head, bytes, hasNoLength, isInterim: false })
  out.text('x-ringfence-correlation-id: ')
  out.text(correlationId)
  if (!has(head, FieldKind.requestId)) {
    out.text('\r\nx-ms-request-id: ')
    out.text(correlationId)
  }
  out.text(lineEnd)
  if (ownLines !== '') out.text(ownLines)
  if (!has(head, FieldKind.date)) out.text(currentDateLine())
  if (isSentInChunks(framing, clientVersion)) out.text('Transfer-Encoding: chunked\r\n')
  if (answer.isLast) out.text('Connection: close\r\n')
  else if (clientVersion === '1.0') out.text('Connection: keep-alive\r\n')
  out.text(lineEnd)
}

/** An informational answer on its way to the final one (RFC 9110 15.2). */
export function composeInformational(out: Composer, head: HeadOffsets, bytes: Buffer): void {
  out.text(statusLine(head.status))
  composeKeptLines(out, { head, bytes, hasNoLength: true, isInterim: true })
  out.text(lineEnd)
}

const lineEnd = '\r\n'
const noContent = 204

function has({ count, kinds }: HeadOffsets, kind: number): boolean {
  for (let index = 0; index < count; index++) if (kinds[index] === kind) return true
  return false
}

/** In as few pieces as there are gaps. */
function composeKeptLines(
  out: Composer,
  given: {
    readonly head: HeadOffsets
    readonly bytes: Buffer
    readonly hasNoLength: boolean
    readonly isInterim: boolean
  },
): void {
  const { head, bytes, hasNoLength, isInterim } = given
  const { count, kinds, fields } = head
  const named = namedByConnection(head, bytes)
  let keptFrom = -1
  for (let index = 0; index < count; index++) {
    const from = fields[index * 4] ?? 0
    const kind = kinds[index] ?? FieldKind.other
    const isDropped =
      isForUs(kind) ||
      (hasNoLength && kind === FieldKind.contentLength) ||
      // An id is one of the answer, and that is still to come.
      (isInterim && kind === FieldKind.requestId) ||
      (named !== undefined &&
        kind !== FieldKind.contentLength &&
        named.has(nameOf(head, bytes, index)))
    if (isDropped && keptFrom !== -1) {
      out.copy(bytes, keptFrom, from)
      keptFrom = -1
    } else if (!isDropped && keptFrom === -1) {
      keptFrom = from
    }
  }
  if (keptFrom !== -1) out.copy(bytes, keptFrom, endOfLines(head, bytes))
}

/** Behind the line end of the last field line. */
function endOfLines({ count, fields }: HeadOffsets, bytes: Buffer): number {
  return bytes.indexOf('\n', fields[count * 4 - 1] ?? 0) + 1
}

function isForUs(kind: number): boolean {
  switch (kind) {
    case FieldKind.transferEncoding:
    case FieldKind.connection:
    case FieldKind.hopByHop:
    case FieldKind.proxyAuthenticate:
    case FieldKind.keepAlive:
    case FieldKind.upgrade:
    case FieldKind.correlationId:
      return true
    default:
      return false
  }
}

/** Undefined for the usual: nothing beyond what is dropped anyway. */
function namedByConnection(head: HeadOffsets, bytes: Buffer): ReadonlySet<string> | undefined {
  const { count, kinds, fields } = head
  const values: string[] = []
  for (let index = 0; index < count; index++) {
    if (kinds[index] !== FieldKind.connection) continue
    values.push('connection', latin1(bytes, fields[index * 4 + 2], fields[index * 4 + 3]))
  }
  if (values.length === 0) return undefined
  const [, only] = values
  if (values.length === 2 && (only === 'close' || only === 'keep-alive')) return undefined
  const options = connectionOptions(values)
  const named = [...options].filter((option) => option !== 'close' && !isHopByHop(option))
  return named.length === 0 ? undefined : new Set(named)
}

function nameOf({ fields }: HeadOffsets, bytes: Buffer, index: number): string {
  return latin1(bytes, fields[index * 4], fields[index * 4 + 1]).toLowerCase()
}

/** What the back end says of the connection behind this answer. */
export interface Persistence {
  /** It must carry no other client's request: the back end closes it, or authenticates it. */
  readonly closes: boolean
  /** How long it keeps an idle one, where it says so. */
  readonly hintMs: number | undefined
}

const kept: Persistence = { closes: false, hintMs: undefined }
const closed: Persistence = { closes: true, hintMs: undefined }
const hint = /(?:^|[,\s])timeout=([0-9]{1,6})(?:$|[,\s])/i

function saysPersistence(kind: number): boolean {
  switch (kind) {
    case FieldKind.connection:
    case FieldKind.keepAlive:
    case FieldKind.authenticate:
    case FieldKind.proxyAuthenticate:
      return true
    default:
      return false
  }
}

/** RFC 9112 9.3; the hint of RFC 2068 19.7.1.1. */
export function readPersistence(head: HeadOffsets, bytes: Buffer): Persistence {
  const { count, kinds, fields, minorVersion } = head
  let hintMs: number | undefined
  let saysKeepAlive = false
  for (let index = 0; index < count; index++) {
    const kind = kinds[index] ?? FieldKind.other
    if (!saysPersistence(kind)) continue
    const value = latin1(bytes, fields[index * 4 + 2], fields[index * 4 + 3])
    if (kind === FieldKind.authenticate || kind === FieldKind.proxyAuthenticate) {
      if (bindsConnection(value)) return closed
      continue
    }
    if (kind === FieldKind.keepAlive) {
      const seconds = hint.exec(value)?.[1]
      if (seconds !== undefined) hintMs = Number(seconds) * 1000
      continue
    }
    // As nearly everybody writes it.
    if (value === 'keep-alive' || value === 'close') {
      if (value === 'close') return closed
      saysKeepAlive = true
      continue
    }
    const options = connectionOptions(['connection', value])
    if (options.has('close')) return closed
    saysKeepAlive ||= options.has('keep-alive')
  }
  if (minorVersion === 0 && !saysKeepAlive) return closed
  return hintMs === undefined ? kept : { closes: false, hintMs }
}
