import type { CloseReason, FailureReason } from '../../reasons.ts'
import { KiB } from '../../units.ts'
import { ambiguous, responseFraming, untilClose } from '../../wire/framing.ts'
import { HeadOffsets, incomplete, scanResponseHead } from '../../wire/head-scan.ts'
import { isIdempotent } from '../../wire/methods.ts'
import { failureReason } from '../backend-failure.ts'
import {
  formatAnswerHead,
  formatInformational,
  isSentInChunks,
  readPersistence,
} from './answer-head.ts'
import { Body } from './body.ts'
import type { FieldBlock } from './head-reader.ts'
import type { RelayConnection } from './relay-connection.ts'
import type { Upstream, UpstreamUser } from './upstream.ts'

/** Who answers for a crossing. None of these may throw. */
export interface CrossingOwner {
  /** The other side failed before the client was told anything: it is to be refused. */
  onFailure(reason: FailureReason | RequestFault): void
  /** Called once, when nothing of it is left. */
  onEnd(closeReason: CloseReason): void
}

/** What a client did to its own request after it was let through. */
export type RequestFault = 'body-malformed' | 'body-too-slow'

export interface Forwarding {
  readonly upstream: Upstream
  /** Field lines for the back end, with the empty line; Latin-1. */
  readonly fieldLines: string
  /** The request target for the back end. */
  readonly target: string
  readonly correlationId: string
  /** Takes the connection back whose last answer was whole. */
  readonly giveBack: (upstream: Upstream, hintMs: number | undefined) => void
  /** A connection to try next; undefined: there is none. `lost` was not reached, or gave up an idle connection. */
  readonly again: (lost: Upstream) => Upstream | undefined
}

/** A back end's head longer than that is no head. */
const maxAnswerHead = 64 * KiB
const maxAnswerFields = 1000

/** Scanning and cutting out follow each other without a pause, so that one is enough for the thread. */
const offsets = new HeadOffsets(maxAnswerFields)

const switchingProtocols = 101
const firstFinal = 200
const goOn = 'HTTP/1.1 100 Continue\r\n\r\n'

/**
 * One request and its answer:
 *
 *   unread ── takeBody ──▶ Body ──▶ upstream.socket
 *   client ◀── head + first of the body in one write ◀── onBytes ◀── upstream
 *
 * It ends in one of three ways: the answer is whole on both sides, the client is refused, or the client is cut off.
 */
export class Crossing implements UpstreamUser {
  readonly connection: RelayConnection
  readonly method: string
  readonly target: string
  readonly block: FieldBlock
  /** Of bodies. */
  bytesIn = 0
  bytesOut = 0
  /** Sent to the client. */
  status: number | undefined
  #forwarding: Forwarding | undefined
  #owner: CrossingOwner | undefined
  #upstream: Upstream | undefined
  readonly #request = new Body()
  readonly #answer = new Body()
  #isRequestSent = false
  #isUpstreamFull = false
  /** A part of a response head, kept until the rest of it comes. */
  #partial: Buffer | undefined
  #hasInformed = false
  #isAnswered = false
  #hintMs: number | undefined
  #keepsUpstream = false
  #isLast = false
  #isOver = false
  #closeReason: CloseReason | undefined

  constructor(
    connection: RelayConnection,
    { method, target, block }: { method: string; target: string; block: FieldBlock },
  ) {
    this.connection = connection
    this.method = method
    this.target = target
    this.block = block
    // What cannot be framed cannot be read to its end: nothing of it is ever taken.
    this.#request.begin(block.framing === ambiguous ? untilClose : block.framing, block.framing < 0)
  }

  get isRequestWhole(): boolean {
    return this.#request.isWhole
  }

  /** Who answers for it from here on. Before anything else. */
  adopt(owner: CrossingOwner): void {
    this.#owner = owner
  }

  /** Sends the request on. Only for what was admitted and is framed one way. */
  forward(forwarding: Forwarding): void {
    this.#forwarding = forwarding
    if (this.block.expectation === 'continue' && !this.#request.isWhole) {
      this.connection.stream.write(goOn, 'latin1')
    }
    this.#use(forwarding.upstream)
  }

  #use(upstream: Upstream): void {
    this.#upstream = upstream
    upstream.user = this
    if (upstream.isReady) this.onReady()
  }

  onReady(): void {
    const { socket } = this.#upstream ?? {}
    if (socket === undefined || this.#forwarding === undefined) return
    const { target, fieldLines } = this.#forwarding
    this.connection.touch()
    if (!this.#request.isWhole) {
      // With the first of the body in one write, where that is here already.
      socket.cork()
      process.nextTick(() => socket.uncork())
    }
    socket.write(`${this.method} ${target} HTTP/1.1\r\n${fieldLines}`, 'latin1')
    this.#isRequestSent = true
    if (!this.#request.isWhole) this.connection.pump()
  }

  /** Takes what it can of the request's body in the bytes from `at` to `end`; returns how many. */
  takeBody(bytes: Buffer, at: number, end: number): number {
    const { socket } = this.#upstream ?? {}
    if (!this.#isRequestSent || socket === undefined || this.#isOver) return 0
    if (this.#request.isWhole) return 0
    const upTo = this.#request.take(bytes, at, end)
    if (this.#request.isMalformed) {
      this.#endWith('client-invalid', 'body-malformed')
      return upTo - at
    }
    this.bytesIn += this.#request.pieceBytes
    this.connection.touch()
    const isPlain = this.block.framing >= 0
    const framed = isPlain ? bytes.subarray(at, upTo) : this.#framed(this.#request, bytes)
    if (framed.length > 0 && !socket.write(framed)) {
      this.#isUpstreamFull = true
      this.connection.holdBack(true)
    }
    return upTo - at
  }

  #framed(body: Body, bytes: Buffer): Buffer {
    const framed = Buffer.allocUnsafe(body.framedBytes)
    body.copyTo(framed, 0, bytes)
    return framed
  }

  onDrain(): void {
    if (!this.#isUpstreamFull) return
    this.#isUpstreamFull = false
    this.connection.touch()
    this.connection.holdBack(false)
  }

  onBytes(bytes: Buffer, length: number): boolean {
    if (this.#isOver) return false
    this.connection.touch()
    if (this.#isAnswered) return this.#passBody('', { bytes, at: 0, end: length })
    if (this.#partial === undefined) return this.#readAnswer(bytes, length)
    const joined = Buffer.concat([this.#partial, bytes.subarray(0, length)])
    this.#partial = undefined
    return this.#readAnswer(joined, joined.length)
  }

  #readAnswer(bytes: Buffer, end: number): boolean {
    let at = 0
    for (;;) {
      const headEnd = scanResponseHead(offsets, bytes, { start: at, end })
      if (headEnd === incomplete && end - at <= maxAnswerHead) {
        this.#partial = Buffer.from(bytes.subarray(at, end))
        return true
      }
      // A switch that nobody asked for is none.
      if (headEnd <= 0 || offsets.status === switchingProtocols) {
        this.#fail('backend-invalid')
        return false
      }
      if (offsets.status >= firstFinal) return this.#beginAnswer(bytes, headEnd, end)
      this.#inform(bytes)
      at = headEnd
      if (at === end) return true
    }
  }

  /** 100 was ours to send; of the others HTTP/1.0 knows nothing. */
  #inform(bytes: Buffer): void {
    this.#hasInformed = true
    if (offsets.status === 100 || this.block.httpVersion === '1.0') return
    this.connection.stream.write(formatInformational(offsets, bytes), 'latin1')
  }

  #beginAnswer(bytes: Buffer, at: number, end: number): boolean {
    const framing = responseFraming(offsets, bytes, this.method)
    if (framing === ambiguous || this.#forwarding === undefined) {
      this.#fail('backend-invalid')
      return false
    }
    const { httpVersion, closes } = this.block
    const { closes: upstreamCloses, hintMs } = readPersistence(offsets, bytes)
    this.#keepsUpstream = !upstreamCloses && framing !== untilClose
    this.#hintMs = hintMs
    const isEndedByClose = framing < 0 && httpVersion === '1.0'
    this.#isLast = closes || isEndedByClose || this.connection.owner.isDraining()
    this.#isAnswered = true
    this.status = offsets.status
    this.#answer.begin(framing, isSentInChunks(framing, httpVersion))
    const head = formatAnswerHead(offsets, bytes, {
      clientVersion: httpVersion,
      framing,
      correlationId: this.#forwarding.correlationId,
      isLast: this.#isLast,
    })
    return this.#passBody(head, { bytes, at, end })
  }

  /** Writes what has come of the body, behind `head`, in one write. False: no more for now. */
  #passBody(
    head: string,
    { bytes, at, end }: { readonly bytes: Buffer; readonly at: number; readonly end: number },
  ): boolean {
    const answer = this.#answer
    const upTo = answer.take(bytes, at, end)
    if (answer.isMalformed) {
      this.#endWith('backend-invalid', undefined)
      return false
    }
    this.bytesOut += answer.pieceBytes
    const isTaken = this.#write(head, bytes)
    if (!answer.isWhole) return isTaken
    this.#complete(upTo < end)
    // An idle connection is read from, or nobody would see it end.
    return true
  }

  #write(head: string, bytes: Buffer): boolean {
    const { stream } = this.connection
    const bodyBytes = this.#answer.framedBytes
    if (bodyBytes === 0) return head === '' || stream.write(head, 'latin1')
    const framed = Buffer.allocUnsafe(head.length + bodyBytes)
    if (head !== '') framed.write(head, 0, 'latin1')
    this.#answer.copyTo(framed, head.length, bytes)
    return stream.write(framed)
  }

  onEnd(): void {
    if (this.#isOver) return
    if (!this.#isAnswered || !this.#answer.endByClose()) {
      this.#lose(undefined)
      return
    }
    this.#write('', noBytes)
    this.#complete(false)
  }

  onLost(error: Error | undefined): void {
    if (!this.#isOver) this.#lose(error)
  }

  /** The client takes more again. */
  onClientDrain(): void {
    this.connection.touch()
    this.#upstream?.socket.resume()
  }

  onClientClose(): void {
    if (this.#isOver) {
      this.#end(this.#closeReason ?? this.#clientReason())
      return
    }
    this.#isOver = true
    this.#dropUpstream()
    this.#end(this.#closeReason ?? this.#clientReason())
  }

  /** The client has ended in the middle of its request. */
  leave(): void {
    this.#endWith('client-closed', undefined)
  }

  /** Ends it because the perimeter or the process wants it to: by a refusal if nothing was said, which is the caller's. */
  abort(reason: CloseReason): 'refuse' | 'done' {
    if (this.#isOver) return 'done'
    this.#closeReason = reason
    this.#dropUpstream()
    if (!this.#isAnswered && !this.#hasInformed) return 'refuse'
    this.#cut()
    return 'done'
  }

  /** Nothing moved. Who is it that everybody waits for? */
  expire(): void {
    if (this.#isOver) {
      // Its last bytes are on their way to a client that does not take them.
      this.#closeReason ??= 'body-idle-timeout'
      this.connection.cut()
    } else if (this.#isAnswered) {
      const isClientSlow = this.connection.stream.writableNeedDrain
      this.#endWith(isClientSlow ? 'body-idle-timeout' : 'backend-timeout', undefined)
    } else if (!this.#request.isWhole && this.#isRequestSent && !this.#isUpstreamFull) {
      this.#endWith('body-idle-timeout', 'body-too-slow')
    } else {
      this.#fail('backend-timeout')
    }
  }

  /** Answers in place of the back end. `head` ends with the empty line; a body is left out for HEAD. */
  refuse(refusal: {
    readonly status: number
    /** Without the lines about the connection and the empty line. */
    readonly head: string
    readonly body: Buffer
    readonly isLast: boolean
  }): void {
    if (this.#isOver) return
    const { status, head, body, isLast } = refusal
    this.#dropUpstream()
    this.#isLast =
      isLast || this.block.closes || !this.#request.isWhole || this.connection.owner.isDraining()
    this.status = status
    const end = this.#isLast ? 'Connection: close\r\n\r\n' : this.#endOfHead()
    const text = head + end
    const hasBody = this.method !== 'HEAD'
    const bytes = Buffer.allocUnsafe(text.length + (hasBody ? body.length : 0))
    bytes.write(text, 0, 'latin1')
    if (hasBody) body.copy(bytes, text.length)
    this.connection.stream.write(bytes)
    this.#isOver = true
    this.#flush()
  }

  #endOfHead(): string {
    return this.block.httpVersion === '1.0' ? 'Connection: keep-alive\r\n\r\n' : '\r\n'
  }

  /** `hasMore`: bytes came behind the answer, which belong to no request. */
  #complete(hasMore: boolean): void {
    const upstream = this.#upstream
    const forwarding = this.#forwarding
    this.#isOver = true
    this.#upstream = undefined
    // Answered before it was asked to the end: where the next request begins is not known.
    if (!this.#request.isWhole) this.#isLast = true
    if (upstream !== undefined && forwarding !== undefined) {
      const isClean = this.#keepsUpstream && this.#request.isWhole && !hasMore
      if (isClean && upstream.socket.writableLength === 0) {
        forwarding.giveBack(upstream, this.#hintMs)
      } else {
        upstream.destroy()
      }
    }
    this.#flush()
  }

  /** The end comes once the client's side has taken everything: until then the client may still be gone. */
  #flush(): void {
    const { stream } = this.connection
    if (stream.writableLength === 0 || stream.destroyed) this.#finish()
    else stream.write(noBytes, () => this.#finish())
  }

  #finish(): void {
    const hasUnread = !this.#request.isWhole
    this.#end(
      this.#closeReason ?? (this.connection.stream.destroyed ? this.#clientReason() : 'complete'),
    )
    this.connection.endCrossing({ isLast: this.#isLast, hasUnread })
  }

  /** The connection to the back end is gone before its answer was whole. */
  #lose(error: Error | undefined): void {
    const lost = this.#upstream
    const forwarding = this.#forwarding
    if (lost === undefined || forwarding === undefined) return
    lost.user = undefined
    const next = this.#mayTryAgain(lost, error) ? forwarding.again(lost) : undefined
    if (next === undefined) {
      this.#fail(failureReason(error ?? new Error('closed'), lost.phase))
      return
    }
    lost.destroy()
    this.#isRequestSent = false
    this.#use(next)
  }

  /** Before it was reached nothing was sent; an idle connection was given up as the request arrived (RFC 9112 9.3.1). */
  #mayTryAgain(lost: Upstream, error: Error | undefined): boolean {
    if (!lost.isReady) return true
    const isClosed =
      error === undefined ||
      ('code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE'))
    return (
      isClosed &&
      lost.isReused &&
      this.#partial === undefined &&
      !this.#hasInformed &&
      this.block.framing === 0 &&
      isIdempotent(this.method)
    )
  }

  #fail(reason: FailureReason): void {
    this.#endWith(reason, reason)
  }

  /** Ends it early: with a refusal as long as nothing was said to the client, else by cutting it off. */
  #endWith(why: CloseReason, refusal: FailureReason | RequestFault | undefined): void {
    if (this.#isOver || this.#closeReason !== undefined) return
    this.#closeReason = why
    this.#dropUpstream()
    if (this.#isAnswered || this.#hasInformed || refusal === undefined) this.#cut()
    else this.#owner?.onFailure(refusal)
  }

  #cut(): void {
    this.#isOver = true
    this.connection.cut()
  }

  #dropUpstream(): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    this.#partial = undefined
    upstream?.destroy()
  }

  #clientReason(): CloseReason {
    return this.connection.stream.errored === null ? 'client-closed' : 'client-reset'
  }

  #end(closeReason: CloseReason): void {
    const owner = this.#owner
    this.#owner = undefined
    this.#forwarding = undefined
    owner?.onEnd(closeReason)
  }
}

const noBytes = Buffer.alloc(0)
