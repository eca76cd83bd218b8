import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { CloseReason } from '../reasons.ts'
import type { RawHeaders } from '../wire/headers.ts'
import type { RefusalReason } from '../wire/refusal.ts'
import type { RequestFacts } from './judge-request.ts'
import type { BackendResponse, RelayHooks } from './relay-response.ts'

/**
 * The client's side of one request, whatever version of HTTP it speaks: what was asked, and every way to answer or to cut
 * it off. Whoever serves the request decides which; how that looks on the wire is known here alone.
 */
export interface ClientSide {
  readonly facts: RequestFacts
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean
  readonly message: CalledMessage
  readonly response: CalledResponse
  /** Paused while the back end takes no more. */
  readonly body: Readable
  /** Whether a back end may be spoken to in HTTP/2 for it. */
  readonly isHttp2: boolean
  /** Behind the body, as they came; empty as long as it is not complete. */
  trailers(): RawHeaders
  /** Whether the request has arrived to its end. */
  isComplete(): boolean
  /** Whether the head of an answer was sent. */
  hasAnswered(): boolean
  /** Whether it is the client that does not take what was written. */
  isHeldBack(): boolean
  /** Whether the whole answer was taken. */
  isFinished(): boolean
  writeContinue(): void
  /** Passes on what a back end says ahead of its answer with status 103 (RFC 8297), where that may be. */
  hint(rawHeaders: RawHeaders): void
  relay(backendResponse: BackendResponse, hooks: RelayHooks): void
  /** Answers with a refusal; returns its status. */
  refuse(refusal: SideRefusal): number
  /** Ends it so that the client cannot take what it has for a whole answer. */
  cut(why: CloseReason): void
  /** What its own side says of an end that nobody else explained. */
  closeReason(): CloseReason
}

export interface SideRefusal {
  readonly reason: RefusalReason
  /** Where it is finer than the reason's own. */
  readonly status?: number | undefined
  readonly correlationId: string
  /** After this nothing that the client sends behind it on the same connection can be read with certainty. */
  readonly endsConnection: boolean
}

/** A request as the library that calls back ends reads it. `headers` is replaced whole. */
export interface CalledMessage {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders | OutgoingHttpHeaders
}

/** An answer as that library watches it: for its closing alone. */
export interface CalledResponse {
  readonly destroyed: boolean
  readonly writableFinished: boolean
  on(event: 'close', listener: () => void): unknown
  once(event: 'close', listener: () => void): unknown
}
