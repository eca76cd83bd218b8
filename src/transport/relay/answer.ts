import type { Duplex } from 'node:stream'
import { KiB } from '../../units.ts'
import { ambiguous, responseFraming, untilClose } from '../../wire/framing.ts'
import { HeadOffsets, incomplete, scanResponseHead } from '../../wire/head-scan.ts'
import {
  type AnswerHead,
  answerHeadRoom,
  composeAnswerHead,
  composeInformational,
  informationalRoom,
  isSentInChunks,
  readPersistence,
} from './answer-head.ts'
import { Body } from './body.ts'
import { sharedComposer as out } from './composer.ts'

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
    if (this.status !== undefined) return this.#passBody(bytes, 0, length)
    if (this.#partial === undefined) return this.#readHead(bytes, length)
    const joined = Buffer.concat([this.#partial, bytes.subarray(0, length)])
    this.#partial = undefined
    return this.#readHead(joined, joined.length)
  }

  /** The back end has ended in order: whether that ends the answer too. */
  endByClose(): boolean {
    if (this.status === undefined || !this.#body.endByClose()) return false
    this.#writeBody(noBytes)
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
      this.#inform(bytes, headEnd)
      at = headEnd
    }
    return !this.#for.client.writableNeedDrain
  }

  /** 100 was ours to send; of the others HTTP/1.0 knows nothing. */
  #inform(bytes: Buffer, headEnd: number): void {
    this.#interims++
    if (offsets.status === 100 || this.#for.clientVersion === '1.0') return
    const { client } = this.#for
    out.begin(client, informationalRoom(headEnd))
    composeInformational(out, offsets, bytes)
    out.send()
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
    if (!this.#takeBody(bytes, at, end)) return this.#refuse()
    const answer: AnswerHead = {
      clientVersion,
      framing,
      correlationId,
      ownLines: answerLines,
      isLast: this.isLast,
    }
    out.begin(this.#for.client, answerHeadRoom(at, answer) + this.#body.framedBytes)
    composeAnswerHead(out, { head: offsets, bytes, answer })
    out.body(this.#body, bytes)
    return out.send()
  }

  #refuse(): false {
    this.isInvalid = true
    return false
  }

  #passBody(bytes: Buffer, at: number, end: number): boolean {
    if (!this.#takeBody(bytes, at, end)) return this.#refuse()
    return this.#writeBody(bytes)
  }

  /** False: it is malformed. */
  #takeBody(bytes: Buffer, at: number, end: number): boolean {
    const upTo = this.#body.take(bytes, at, end)
    if (this.#body.isMalformed) return false
    this.bytesOut += this.#body.pieceBytes
    this.hasMore = upTo < end
    return true
  }

  #writeBody(bytes: Buffer): boolean {
    const { framedBytes } = this.#body
    if (framedBytes === 0) return true
    out.begin(this.#for.client, framedBytes)
    out.body(this.#body, bytes)
    return out.send()
  }
}

const noBytes = Buffer.alloc(0)
