import { hasBindingCredentials } from '../../wire/connection-sharing.ts'
import { type Framing, requestFraming } from '../../wire/framing.ts'
import {
  HeadOffsets,
  malformed,
  scanFields,
  scanRequestLine,
  type Span,
} from '../../wire/head-scan.ts'
import { connectionOptions, headerValues, type RawHeaders } from '../../wire/headers.ts'
import { latin1 } from '../../wire/octets.ts'
import { methodOf } from '../../wire/methods.ts'
import { KiB } from '../../units.ts'

/** The field lines of a request: immutable, and one object for all requests of a connection that have the same bytes. */
export interface FieldBlock {
  readonly rawHeaders: RawHeaders
  readonly httpVersion: '1.0' | '1.1'
  /** `ambiguous`: nothing may be forwarded. */
  readonly framing: Framing
  readonly expectation: 'none' | 'continue' | 'unknown'
  /** Connection names `upgrade`. */
  readonly upgrades: boolean
  /** The client wants no further request on the connection. */
  readonly closes: boolean
  /** Its credentials hold for the connection that it is sent on. */
  readonly bindsConnection: boolean
}

/** Lines beyond the highest limit that can be set are not even counted. */
const maxFields = 2001

/** Scanning and cutting out follow each other without a pause, so that one is enough for the thread. */
const offsets = new HeadOffsets(maxFields)

/** Longer blocks are not remembered: every open connection keeps what it remembers. */
const maxRemembered = 2 * KiB

/**
 * Reads the request heads of one connection. A client mostly sends the same fields again and again: where the bytes are
 * those of the request before, the block is the same object, and whatever was made of it holds.
 */
export class HeadReader {
  method = ''
  /** As it arrived. */
  target = ''
  /** Undefined before the first head. */
  block: FieldBlock | undefined
  #blockBytes: Buffer | undefined

  /** The offset behind the head that begins at `start`, or `incomplete`, `malformed`, `tooManyFields`. */
  read(bytes: Buffer, { start, end }: Span): number {
    const fieldsStart = scanRequestLine(offsets, bytes, { start, end })
    if (fieldsStart <= 0) return fieldsStart
    const method = methodOf(bytes, offsets.methodStart, offsets.methodEnd)
    if (method === undefined) return malformed
    const headEnd = this.#readBlock(bytes, { start: fieldsStart, end })
    if (headEnd <= 0) return headEnd
    this.method = method
    this.target = latin1(bytes, offsets.targetStart, offsets.targetEnd)
    return headEnd
  }

  #readBlock(bytes: Buffer, { start, end }: Span): number {
    const remembered = this.#blockBytes
    const httpVersion = offsets.minorVersion === 1 ? '1.1' : '1.0'
    if (remembered !== undefined && this.block?.httpVersion === httpVersion) {
      const same = start + remembered.length
      if (same <= end && bytes.compare(remembered, 0, remembered.length, start, same) === 0) {
        return same
      }
    }
    const headEnd = scanFields(offsets, bytes, { start, end })
    if (headEnd <= 0) return headEnd
    this.block = makeBlock(bytes, httpVersion)
    const isShort = headEnd - start <= maxRemembered
    this.#blockBytes = isShort ? Buffer.from(bytes.subarray(start, headEnd)) : undefined
    return headEnd
  }
}

function makeBlock(bytes: Buffer, httpVersion: FieldBlock['httpVersion']): FieldBlock {
  const { count, fields } = offsets
  const rawHeaders: string[] = []
  for (let index = 0; index < count * 4; index += 4) {
    rawHeaders.push(
      latin1(bytes, fields[index], fields[index + 1]),
      latin1(bytes, fields[index + 2], fields[index + 3]),
    )
  }
  const options = connectionOptions(rawHeaders)
  return {
    rawHeaders,
    httpVersion,
    framing: requestFraming(offsets, bytes),
    expectation: expectationOf(rawHeaders, httpVersion),
    upgrades: options.has('upgrade'),
    closes: options.has('close') || (httpVersion === '1.0' && !options.has('keep-alive')),
    bindsConnection: hasBindingCredentials(rawHeaders),
  }
}

/** RFC 9110 10.1.1: HTTP/1.0 knows none, and a client of that version would not understand the answer. */
function expectationOf(
  rawHeaders: RawHeaders,
  httpVersion: FieldBlock['httpVersion'],
): FieldBlock['expectation'] {
  const values = headerValues(rawHeaders, 'expect')
  if (values.length === 0 || httpVersion === '1.0') return 'none'
  return values.length === 1 && values[0]?.toLowerCase() === '100-continue' ? 'continue' : 'unknown'
}
