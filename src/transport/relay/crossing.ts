import type { Duplex } from 'node:stream'
import type { CloseReason, FailureReason } from '../../reasons.ts'
import { mayLeaveContent } from '../../wire/connection-sharing.ts'
import { ambiguous, untilClose } from '../../wire/framing.ts'
import { isIdempotent } from '../../wire/methods.ts'
import { failureReason } from '../backend-failure.ts'
import { Answer } from './answer.ts'
import { Body } from './body.ts'
import type { Forwarding } from './forwarding.ts'
import type { FieldBlock } from './head-reader.ts'
import { type Sent, sharedOutbox } from './outbox.ts'
import type { Upstream, UpstreamUser } from './upstream.ts'

/** The client's connection, as a crossing uses it. */
export interface CrossingClient {
  readonly stream: Duplex
  isDraining(): boolean
  /** Bytes moved. */
  touch(): void
  /** The crossing can take more of the request's body. */
  pump(): void
  /** The upstream takes no more for now, or takes more again. */
  holdBack(isHeldBack: boolean): void
  /** Cuts the client off so that it cannot take what it has for a whole answer. */
  cut(): void
  /** The answer is out. `hasUnread`: the client may still send of its request. */
  endCrossing(end: { readonly isLast: boolean; readonly hasUnread: boolean }): void
}

/** Who answers for a crossing. None of these may throw. */
export interface CrossingOwner {
  /** The other side failed before the client was told anything: it is to be refused. */
  onFailure(reason: FailureReason | RequestFault): void
  /** Called once, when nothing of it is left. */
  onEnd(closeReason: CloseReason): void
}

/** What a client did to its own request after it was let through. */
export type RequestFault = 'body-malformed' | 'body-too-slow'

/** Of all requests without one. INVARIANT: it is whole, and nothing begins it. */
const noBody = new Body()

const goOn = 'HTTP/1.1 100 Continue\r\n\r\n'

/**
 * One request and its answer:
 *
 *   unread ── takeBody ──▶ Body ──▶ upstream.socket
 *   client ◀── head + first of the body in one write ◀── onBytes ◀── upstream
 *
 * It ends in one of three ways: the answer is whole on both sides, the client is refused, or the client is cut off.
 */
export class Crossing implements UpstreamUser, Sent {
  readonly client: CrossingClient
  readonly method: string
  readonly target: string
  readonly block: FieldBlock
  /** Of the request's body. */
  bytesIn = 0
  #forwarding: Forwarding | undefined
  #owner: CrossingOwner | undefined
  #upstream: Upstream | undefined
  readonly #request: Body
  #answer: Answer | undefined
  /** Of a refusal. */
  #refusedWith: number | undefined
  #isRequestSent = false
  #isUpstreamFull = false
  #isLast = false
  #isOver = false
  #closeReason: CloseReason | undefined

  constructor(
    client: CrossingClient,
    { method, target, block }: { method: string; target: string; block: FieldBlock },
  ) {
    this.client = client
    this.method = method
    this.target = target
    this.block = block
    this.#request = block.framing === 0 ? noBody : new Body()
    // What cannot be framed cannot be read to its end: nothing of it is ever taken.
    const framing = block.framing === ambiguous ? untilClose : block.framing
    if (framing !== 0) this.#request.begin(framing, framing < 0)
  }

  /** Who answers for it from here on. Before anything else. */
  adopt(owner: CrossingOwner): void {
    this.#owner = owner
  }

  /** Of the answer's body. */
  get bytesOut(): number {
    return this.#answer?.bytesOut ?? 0
  }

  /** Sent to the client. */
  get status(): number | undefined {
    return this.#refusedWith ?? this.#answer?.status
  }

  /** Sends the request on. Only for what was admitted and is framed one way. */
  forward(forwarding: Forwarding): void {
    this.#forwarding = forwarding
    this.#answer = new Answer({
      client: this.client.stream,
      method: this.method,
      clientVersion: this.block.httpVersion,
      correlationId: forwarding.correlationId,
      answerLines: forwarding.answerLines ?? '',
      // Answered before it was asked to the end: where the next request begins may never be known.
      isLast: () => this.block.closes || !this.#request.isWhole || this.client.isDraining(),
    })
    if (this.block.expectation === 'continue' && !this.#request.isWhole) {
      this.client.stream.write(goOn, 'latin1')
    }
    this.sendOver(forwarding.upstream)
  }

  /** Sends what is forwarded over this connection. */
  sendOver(upstream: Upstream): void {
    // The client has gone while the connection was sought.
    if (this.#isOver) {
      upstream.destroy()
      return
    }
    this.#upstream = upstream
    upstream.user = this
    if (upstream.isReady) this.onReady()
  }

  onReady(): void {
    const { socket } = this.#upstream ?? {}
    if (socket === undefined || this.#forwarding === undefined) return
    const { target, fieldLines } = this.#forwarding
    this.client.touch()
    // With the first of the body in one write, where that is here already.
    sharedOutbox.hold(socket)
    socket.write(`${this.method} ${target} HTTP/1.1\r\n${fieldLines}`, 'latin1')
    this.#isRequestSent = true
    if (!this.#request.isWhole) this.client.pump()
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
    this.client.touch()
    const isPlain = this.block.framing >= 0
    const framed = isPlain ? bytes.subarray(at, upTo) : this.#framed(this.#request, bytes)
    if (framed.length > 0 && !socket.write(framed)) {
      this.#isUpstreamFull = true
      this.client.holdBack(true)
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
    this.client.touch()
    this.client.holdBack(false)
  }

  onBytes(bytes: Buffer, length: number): boolean {
    const answer = this.#answer
    if (this.#isOver || answer === undefined) return false
    this.client.touch()
    const isTaken = answer.take(bytes, length)
    if (answer.isInvalid) {
      this.fail('backend-invalid')
      return false
    }
    if (!answer.isWhole) return isTaken
    this.#complete(answer)
    // An idle connection is read from, or nobody would see it end.
    return true
  }

  onEnd(): void {
    const answer = this.#answer
    if (this.#isOver || answer === undefined) return
    if (answer.endByClose()) this.#complete(answer)
    else this.#lose(undefined)
  }

  onLost(error: Error | undefined): void {
    if (!this.#isOver) this.#lose(error)
  }

  /** The client takes more again. */
  onClientDrain(): void {
    this.client.touch()
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

  /** The client has ended its side before the answer was whole. */
  leave(): void {
    this.#endWith('client-closed', undefined)
  }

  /** Ends it because the perimeter or the process wants it to: by a refusal if nothing was said, which is the caller's. */
  abort(reason: CloseReason): 'refuse' | 'done' {
    if (this.#isOver) return 'done'
    this.#closeReason = reason
    this.#dropUpstream()
    if (!this.#hasAnswerBegun()) return 'refuse'
    this.#cut()
    return 'done'
  }

  /** Nothing moved. Who is it that everybody waits for? */
  expire(): void {
    if (this.#isOver) {
      // Its last bytes are on their way to a client that does not take them.
      this.#closeReason ??= 'body-idle-timeout'
      this.client.cut()
    } else if (this.#hasAnswerBegun()) {
      const isClientSlow = this.client.stream.writableNeedDrain
      this.#endWith(isClientSlow ? 'body-idle-timeout' : 'backend-timeout', undefined)
    } else if (!this.#request.isWhole && this.#isRequestSent && !this.#isUpstreamFull) {
      this.#endWith('body-idle-timeout', 'body-too-slow')
    } else {
      this.fail('backend-timeout')
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
    this.#isLast = isLast || this.block.closes || !this.#request.isWhole || this.client.isDraining()
    this.#refusedWith = status
    const end = this.#isLast ? 'Connection: close\r\n\r\n' : this.#endOfHead()
    const text = head + end
    const hasBody = this.method !== 'HEAD'
    const bytes = Buffer.allocUnsafe(text.length + (hasBody ? body.length : 0))
    bytes.write(text, 0, 'latin1')
    if (hasBody) body.copy(bytes, text.length)
    this.client.stream.write(bytes)
    this.#isOver = true
    this.#flush()
  }

  #endOfHead(): string {
    return this.block.httpVersion === '1.0' ? 'Connection: keep-alive\r\n\r\n' : '\r\n'
  }

  #complete(answer: Answer): void {
    const upstream = this.#upstream
    const forwarding = this.#forwarding
    this.#isOver = true
    this.#upstream = undefined
    // Answered before it was asked to the end: where the next request begins is not known.
    this.#isLast = answer.isLast || !this.#request.isWhole
    if (upstream !== undefined && forwarding !== undefined) {
      const isClean = answer.keepsUpstream && this.#request.isWhole && !answer.hasMore
      if (isClean && this.#leavesNothing() && upstream.socket.writableLength === 0) {
        forwarding.source.giveBack(upstream, answer.hintMs)
      } else {
        upstream.destroy()
      }
    }
    this.#flush()
  }

  /** Whether the connection may carry another client's request: nobody is known on it, and nothing can be unread. */
  #leavesNothing(): boolean {
    const { bindsConnection, framing } = this.block
    return !bindsConnection && (framing === 0 || !mayLeaveContent(this.method))
  }

  /** The end comes once the client's side has taken everything: until then the client may still be gone. */
  #flush(): void {
    const { stream } = this.client
    if (stream.writableCorked > 0 && !stream.destroyed) sharedOutbox.whenSent(this)
    else this.onSent()
  }

  /** What the client is sent is on its way. */
  onSent(): void {
    const { stream } = this.client
    if (stream.writableLength === 0 || stream.destroyed) this.#finish()
    else stream.write(noBytes, () => this.#finish())
  }

  #finish(): void {
    const hasUnread = !this.#request.isWhole
    this.#end(
      this.#closeReason ?? (this.client.stream.destroyed ? this.#clientReason() : 'complete'),
    )
    this.client.endCrossing({ isLast: this.#isLast, hasUnread })
  }

  /** The connection to the back end is gone before its answer was whole. */
  #lose(error: Error | undefined): void {
    const lost = this.#upstream
    const forwarding = this.#forwarding
    if (lost === undefined || forwarding === undefined) return
    lost.user = undefined
    const next = this.#mayTryAgain(lost, error) ? forwarding.source.again(lost) : 'none'
    if (next === 'none') {
      this.fail(failureReason(error ?? new Error('closed'), lost.phase))
      return
    }
    lost.destroy()
    this.#upstream = undefined
    this.#isRequestSent = false
    if (next !== 'later') this.sendOver(next)
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
      this.#answer?.isUntouched === true &&
      this.block.framing === 0 &&
      isIdempotent(this.method)
    )
  }

  /** The other side failed: the client is refused, or cut off if it was told something already. */
  fail(reason: FailureReason): void {
    this.#endWith(reason, reason)
  }

  /** Ends it early: with a refusal as long as nothing was said to the client, else by cutting it off. */
  #endWith(why: CloseReason, refusal: FailureReason | RequestFault | undefined): void {
    if (this.#isOver || this.#closeReason !== undefined) return
    this.#closeReason = why
    this.#dropUpstream()
    if (this.#hasAnswerBegun() || refusal === undefined) this.#cut()
    else this.#owner?.onFailure(refusal)
  }

  /** The client has been sent the head of an answer, not only hints of one. */
  #hasAnswerBegun(): boolean {
    return this.#answer?.status !== undefined
  }

  #cut(): void {
    this.#isOver = true
    this.client.cut()
  }

  #dropUpstream(): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    upstream?.destroy()
  }

  #clientReason(): CloseReason {
    return this.client.stream.errored === null ? 'client-closed' : 'client-reset'
  }

  #end(closeReason: CloseReason): void {
    const owner = this.#owner
    this.#owner = undefined
    this.#forwarding = undefined
    owner?.onEnd(closeReason)
  }
}

const noBytes = Buffer.alloc(0)
