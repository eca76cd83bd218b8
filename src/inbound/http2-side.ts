import type { ServerHttp2Stream } from 'node:http2'
import type { CloseReason } from '../reasons.ts'
import { sharedDeadlines } from '../transport/deadlines.ts'
import { seconds } from '../units.ts'
import { prefersHtml } from '../wire/accept.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { http2ErrorCode } from '../wire/http2-error-code.ts'
import type { Http2Message } from '../wire/http2-head.ts'
import { renderRefusal } from '../wire/refusal.ts'
import { clientHeaders, clientTrailers } from '../wire/response-head.ts'
import type { CalledMessage, ClientSide, SideRefusal } from './client-side.ts'
import type { Connection } from './connection.ts'
import { clientCloseReason } from './exchange.ts'
import { collectFields, sendTrailers } from './http2-fields.ts'
import type { RequestFacts } from './judge-request.ts'
import type { BackendResponse, RelayHooks } from './relay-response.ts'

export interface Http2Request {
  readonly stream: ServerHttp2Stream
  readonly message: Http2Message
  /** Whether a body follows the head. */
  readonly hasBody: boolean
  readonly expectsContinue: boolean
  readonly connection: Connection
  /** Name of the listener. */
  readonly listener: string
}

const minStatus = 200
const earlyHints = 103

/** Of one answer; a back end that says more is not heard: nothing holds it back. */
const maxHints = 8

/** For a client to take a refusal, or the reset of a stream; after that it is ended whatever it takes. */
const lingerMs = seconds(5)

/** A stream that is ended from here: whose fault it was is in the log, a client learns whether to try again. */
const codeByReason: ReadonlyMap<CloseReason, number> = new Map([
  ['client-invalid', http2ErrorCode.protocolError],
  ['body-idle-timeout', http2ErrorCode.cancel],
  ['policy-revoked', http2ErrorCode.cancel],
  ['drain-timeout', http2ErrorCode.cancel],
])

/**
 * The client's side of one HTTP/2 stream: what becomes of it is no other stream's affair.
 *
 * Every answer with a body waits for its trailers, even where there are none. Node ends a stream that it closes with an
 * error by END_STREAM all the same, so that an answer which was cut short looks whole; waiting, it sends the reset alone.
 */
export class Http2Side implements ClientSide {
  readonly facts: RequestFacts
  readonly message: CalledMessage
  readonly expectsContinue: boolean
  readonly isHttp2 = true
  readonly #stream: ServerHttp2Stream
  readonly #connection: Connection
  #isComplete: boolean
  #requestTrailers: RawHeaders = []
  #trailers: RawHeaders = []
  /** Everything was handed to the library, and nothing cut it since. */
  #isDelivered = false
  #isCut = false
  #hints = 0

  constructor(arrived: Http2Request) {
    const { stream, message, hasBody, expectsContinue, connection, listener } = arrived
    const { method, target, rawHeaders } = message
    const { isSecure, peer, peerPort, proxied, certificate, delivery } = connection
    this.#stream = stream
    this.#connection = connection
    this.#isComplete = !hasBody
    // The HTTP/1.1 message that it means is what is judged, and what a back end of HTTP/1.1 gets.
    this.facts = {
      listener,
      method,
      target,
      httpVersion: '1.1',
      rawHeaders,
      isSecure,
      // What follows HPACK's tables is judged by nghttp2, and Node does not ask it what it took out.
      mayLackFields: true,
      peer,
      peerPort,
      proxied,
      certificate,
      delivery,
      token: undefined,
    }
    this.message = new StandIn(message, stream)
    this.expectsContinue = expectsContinue
    // A reset ends the body too: what was cut short must not reach a back end as a whole.
    stream.once('end', () => {
      if (!stream.closed) this.#isComplete = true
    })
    stream.once('trailers', (_headers, _flags, rawTrailers) => {
      this.#requestTrailers = rawTrailers ?? []
    })
    stream.once('wantTrailers', () => this.#finish())
  }

  get response(): ServerHttp2Stream {
    return this.#stream
  }

  get body(): ServerHttp2Stream {
    return this.#stream
  }

  trailers(): RawHeaders {
    return this.#requestTrailers
  }

  isComplete(): boolean {
    return this.#isComplete
  }

  hasAnswered(): boolean {
    return this.#stream.headersSent
  }

  isHeldBack(): boolean {
    return this.#stream.writableNeedDrain || this.#stream.writableEnded
  }

  isFinished(): boolean {
    return this.#isDelivered && !this.#isCut && this.#stream.rstCode === http2ErrorCode.noError
  }

  writeContinue(): void {
    if (!this.#stream.closed) this.#stream.additionalHeaders({ ':status': 100 })
  }

  hint(rawHeaders: RawHeaders): void {
    const stream = this.#stream
    if (stream.headersSent || stream.closed || this.#hints >= maxHints) return
    this.#hints++
    const headers = clientTrailers(rawHeaders)
    try {
      stream.additionalHeaders({ ':status': earlyHints, ...collectFields(headers) })
    } catch {
      // A field that Node reads but does not write: an answer comes all the same.
    }
  }

  relay(backendResponse: BackendResponse, hooks: RelayHooks): void {
    backendResponse.on('error', ignore)
    const stream = this.#stream
    const { statusCode: status = 0, rawHeaders } = backendResponse
    const { correlationId } = hooks
    const headers = clientHeaders({ status, rawHeaders, correlationId })
    const { endsWithHead = false } = backendResponse
    const isPassed = headers !== undefined && this.#respond(status, headers, endsWithHead)
    if (status < minStatus || !isPassed) {
      hooks.onInvalid()
      return
    }
    backendResponse.on('data', (chunk: Buffer) => {
      hooks.onBody(chunk.length)
      if (stream.writable && !stream.write(chunk)) backendResponse.pause()
    })
    stream.on('drain', () => {
      hooks.onMoved()
      backendResponse.resume()
    })
    backendResponse.once('end', () => {
      if (!backendResponse.complete) return
      this.#trailers = clientTrailers(backendResponse.rawTrailers)
      stream.end()
    })
    backendResponse.once('close', () => {
      if (!backendResponse.complete) hooks.onCut()
    })
  }

  refuse({ reason, status, correlationId }: SideRefusal): number {
    const html = prefersHtml(this.facts.rawHeaders)
    const refusal = { reason, correlationId, html, ...(status === undefined ? {} : { status }) }
    const rendered = renderRefusal(refusal)
    this.#respond(rendered.status, rendered.headers, false)
    this.#stream.end(rendered.body)
    this.#stream.resume()
    // Nobody waits for it any more, and a client may leave no window for it.
    this.#linger(() => this.cut('body-idle-timeout'))
    return rendered.status
  }

  cut(why: CloseReason): void {
    this.#isCut = true
    const stream = this.#stream
    stream.close(codeByReason.get(why) ?? http2ErrorCode.internalError)
    if (stream.destroyed) return
    // A client that takes nothing at all does not take the reset either.
    this.#linger(() => stream.destroy())
  }

  /** Whether it ended before its answer was whole, and not from here. */
  isGivenUp(): boolean {
    return !this.#isCut && !this.isFinished()
  }

  closeReason(): CloseReason {
    if (this.#connection.stream.destroyed) return clientCloseReason(this.#connection)
    const isInvalid = this.#stream.rstCode === http2ErrorCode.protocolError
    return isInvalid ? 'client-invalid' : 'client-reset'
  }

  /** False: Node does not write a status or field that a back end sent, and nothing was written. */
  #respond(status: number, fields: readonly string[], endStream: boolean): boolean {
    const headers = { ':status': status, ...collectFields(fields) }
    try {
      this.#stream.respond(headers, endStream ? { endStream } : { waitForTrailers: true })
    } catch {
      return false
    }
    // HEAD, 204, 304 and an error of gRPC have ended with their head.
    if (this.#stream.writableEnded) this.#isDelivered = true
    return true
  }

  #linger(onExpire: () => void): void {
    const deadline = sharedDeadlines.watch({ idleMs: lingerMs, lifetimeMs: lingerMs, onExpire })
    this.#stream.once('close', () => deadline.cancel())
  }

  /** All of the body is out. */
  #finish(): void {
    const stream = this.#stream
    if (this.#isCut || stream.closed) return
    this.#isDelivered = true
    sendTrailers(stream, this.#trailers)
    // RFC 9113 8.1: whoever is still sending is told, without an error, that nobody reads.
    if (!this.#isComplete) setImmediate(() => stream.close(http2ErrorCode.noError))
  }
}

/** Stands for a message of HTTP/1. Its errors are those of the stream, which are heard of there. */
class StandIn implements CalledMessage {
  readonly method: string
  readonly url: string
  readonly headers: CalledMessage['headers'] = {}
  readonly socket: ServerHttp2Stream

  constructor({ method, target }: Http2Message, stream: ServerHttp2Stream) {
    this.method = method
    this.url = target
    this.socket = stream
  }

  on(): this {
    return this
  }
}

function ignore(): void {}
