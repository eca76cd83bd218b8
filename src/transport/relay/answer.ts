import type { Duplex } from 'node:stream'
import { KiB } from '../../units.ts'
import { ambiguous, responseFraming, untilClose } from '../../wire/framing.ts'
import { HeadOffsets, incomplete, scanResponseHead } from '../../wire/head-scan.ts'
import {
  formatAnswerHead,
  formatInformational,
  isSentInChunks,
  readPersistence,
} from './answer-head.ts'
import { Body } from './body.ts'

/** What an answer answers. */
export interface AnswerFor {
  readonly client: Duplex
  readonly method: string
  readonly clientVersion: '1.0' | '1.1'
  readonly correlationId: string
  /** Our own lines in its head, besides. */
  readonly answerLines: string
  /** Asked when the head is written: whether it is the last answer of its connection. */
  readonly isLast: () => boolean
}

/** A back end's head longer than that is no head. */
const maxAnswerHead = 64 * KiB
const maxAnswerFields = 1000

/** Scanning and cutting out follow each other without a pause, so that one is enough for the thread. */
const offsets = new HeadOffsets(maxAnswerFields)

/** More is no courtesy but a flood. */
const maxInterims = 32

const switchingProtocols = 101
const firstFinal = 200

/**
 * An answer on its way from a back end to a client:
 *
 *   client ◀── head + first of the body in one write ◀── take ◀── bytes of the upstream
 *   client ◀── body, framed for it ◀──────────────────── take ◀── …
 */
export class Answer {
  /** Of its body. */
  bytesOut = 0
  /** Sent to the client; undefined before the final head. */
  status: number | undefined
  /** It cannot be passed on. */
  isInvalid = false
  isLast = false
  /** The back end keeps the connection, for so long if it says so. */
  keepsUpstream = false
  hintMs: number | undefined
  readonly #for: AnswerFor
  readonly #body = new Body()
  /** A part of a head, kept until the rest of it comes. */
  #partial: Buffer | undefined
  #interims = 0

  constructor(answerFor: AnswerFor) {
    this.#for = answerFor
  }

  /** All of it has come. */
  get isWhole(): boolean {
    return this.status !== undefined && this.#body.isWhole
  }

  /** Nothing of it has come. */
  get isUntouched(): boolean {
    return this.status === undefined && this.#interims === 0 && this.#partial === undefined
  }

  /** Bytes behind its end, in the last `take`: they belong to no request. */
  hasMore = false

  /** Passes on what has come; false: the client takes no more for now. Nothing of the bytes is kept. */
  take(bytes: Buffer, length: number): boolean {
    if (this.status !== undefined) return this.#passBody('', { bytes, at: 0, end: length })
    if (this.#partial === undefined) return this.#readHead(bytes, length)
    const joined = Buffer.concat([this.#partial, bytes.subarray(0, length)])
    this.#partial = undefined
    return this.#readHead(joined, joined.length)
  }

  /** The back end has ended in order: whether that ends the answer too. */
  endByClose(): boolean {
    if (this.status === undefined || !this.#body.endByClose()) return false
    this.#write('', noBytes)
    return true
  }

  #readHead(bytes: Buffer, end: number): boolean {
    let at = 0
    while (at < end) {
      const headEnd = scanResponseHead(offsets, bytes, { start: at, end })
      if (headEnd === incomplete && end - at <= maxAnswerHead) {
        this.#partial = Buffer.from(bytes.subarray(at, end))
        return !this.#for.client.writableNeedDrain
      }
      // A switch that nobody asked for is none.
      if (headEnd <= 0 || offsets.status === switchingProtocols) return this.#refuse()
      if (offsets.status < firstFinal && this.#interims === maxInterims) return this.#refuse()
      if (offsets.status >= firstFinal) return this.#begin(bytes, headEnd, end)
      this.#inform(bytes)
      at = headEnd
    }
    return !this.#for.client.writableNeedDrain
  }

  /** 100 was ours to send; of the others HTTP/1.0 knows nothing. */
  #inform(bytes: Buffer): void {
    this.#interims++
    if (offsets.status === 100 || this.#for.clientVersion === '1.0') return
    this.#for.client.write(formatInformational(offsets, bytes), 'latin1')
  }

  #begin(bytes: Buffer, at: number, end: number): boolean {
    const { method, clientVersion, correlationId, answerLines, isLast } = this.#for
    const framing = responseFraming(offsets, bytes, method)
    if (framing === ambiguous) return this.#refuse()
    const { closes, hintMs } = readPersistence(offsets, bytes)
    this.keepsUpstream = !closes && framing !== untilClose
    this.hintMs = hintMs
    this.isLast = isLast() || (framing < 0 && clientVersion === '1.0')
    this.status = offsets.status
    this.#body.begin(framing, isSentInChunks(framing, clientVersion))
    const head = formatAnswerHead(offsets, bytes, {
      clientVersion,
      framing,
      correlationId,
      ownLines: answerLines,
      isLast: this.isLast,
    })
    return this.#passBody(head, { bytes, at, end })
  }

  #refuse(): false {
    this.isInvalid = true
    return false
  }

  /** Writes what has come of the body, behind `head`, in one write. */
  #passBody(
    head: string,
    { bytes, at, end }: { readonly bytes: Buffer; readonly at: number; readonly end: number },
  ): boolean {
    const upTo = this.#body.take(bytes, at, end)
    if (this.#body.isMalformed) return this.#refuse()
    this.bytesOut += this.#body.pieceBytes
    this.hasMore = upTo < end
    return this.#write(head, bytes)
  }

  #write(head: string, bytes: Buffer): boolean {
    const { client } = this.#for
    const bodyBytes = this.#body.framedBytes
    if (bodyBytes === 0) return head === '' || client.write(head, 'latin1')
    // A short string leaves from Node's stack; a buffer is an object that the engine must keep until it is written.
    const text = head === '' ? undefined : this.#body.shortText(bytes)
    if (text !== undefined) return client.write(head + text, 'latin1')
    const framed = Buffer.allocUnsafe(head.length + bodyBytes)
    if (head !== '') framed.write(head, 0, 'latin1')
    this.#body.copyTo(framed, head.length, bytes)
    return client.write(framed)
  }
}

const noBytes = Buffer.alloc(0)
