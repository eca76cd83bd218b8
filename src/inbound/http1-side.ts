import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CloseReason } from '../reasons.ts'
import { cut } from '../transport/cut.ts'
import { hasBody } from './backend-headers.ts'
import type { ClientSide, SideRefusal } from './client-side.ts'
import { abandonUnread, closeGently, type Connection } from './connection.ts'
import { factsOf, type InboundContext } from './context.ts'
import { clientCloseReason } from './exchange.ts'
import type { RequestFacts } from './judge-request.ts'
import { refuse } from './refuse.ts'
import { type BackendResponse, type RelayHooks, relayResponse } from './relay-response.ts'

export interface Http1Request {
  readonly connection: Connection
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly expectsContinue: boolean
}

/** The client's side of a request over HTTP/1: what becomes of the request is what becomes of its connection. */
export class Http1Side implements ClientSide {
  readonly facts: RequestFacts
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly expectsContinue: boolean
  readonly isHttp2 = false
  readonly #context: InboundContext
  readonly #connection: Connection

  constructor(context: InboundContext, arrived: Http1Request) {
    this.#context = context
    this.#connection = arrived.connection
    this.facts = factsOf(context, arrived)
    this.message = arrived.request
    this.response = arrived.response
    this.expectsContinue = arrived.expectsContinue
  }

  get body(): IncomingMessage {
    return this.message
  }

  /** Of HTTP/1 they go no further: many a back end takes them for a part of its head. */
  trailers(): [] {
    return []
  }

  isComplete(): boolean {
    return this.message.complete
  }

  hasAnswered(): boolean {
    return this.response.headersSent
  }

  isHeldBack(): boolean {
    return this.response.writableNeedDrain || this.response.writableEnded
  }

  isFinished(): boolean {
    return this.response.writableFinished
  }

  writeContinue(): void {
    this.response.writeContinue()
  }

  /** Not to a client of HTTP/1.1: many take it for the answer (RFC 8297 3). */
  hint(): void {}

  relay(backendResponse: BackendResponse, hooks: RelayHooks): void {
    if (this.#context.isDraining) this.response.shouldKeepAlive = false
    relayResponse({ ...hooks, backendResponse, response: this.response })
    this.response.once('finish', () => this.#finish())
  }

  refuse({ endsConnection, ...refusal }: SideRefusal): number {
    return refuse(
      { request: this.message, response: this.response, connection: this.#connection },
      {
        ...refusal,
        isLast:
          endsConnection || this.#isUnread() || this.expectsContinue || this.#context.isDraining,
      },
    )
  }

  cut(): void {
    cut(this.#connection.stream)
  }

  closeReason(): CloseReason {
    return clientCloseReason(this.#connection)
  }

  #isUnread(): boolean {
    return hasBody(this.facts.rawHeaders) && !this.message.complete
  }

  #finish(): void {
    // Answered before it was asked to the end: where the next request begins is not known.
    if (this.#isUnread()) abandonUnread(this.#connection)
    // Its head went out before the drain began, and said nothing of an end.
    else if (this.#context.isDraining && !this.#connection.isClosing) closeGently(this.#connection)
  }
}
