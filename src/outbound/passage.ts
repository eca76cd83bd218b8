import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { CloseReason, FailureReason } from '../reasons.ts'
import type { Outgoing, Sent } from './answering.ts'
import type { OriginPooled } from './undici.ts'
import type { Exchange } from './exchange.ts'
import { type HttpExchangeOptions, sendOver } from './http-exchange.ts'
import { IdleWatch } from './idle-watch.ts'
import { hasBindingCredentials, mayLeaveContent } from '../wire/connection-sharing.ts'
import { bodyIdleMsOf, type ProxyContext } from './proxy-context.ts'
import { readBody } from './request-body.ts'
import { ResponseRelay } from './response-relay.ts'
import { maySendAgain } from './send-again.ts'

export interface PassageOptions {
  readonly context: ProxyContext
  readonly exchange: Exchange
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The client waits for a 100 before it sends content. */
  readonly expectsContinue: boolean
  readonly hasBody: boolean
  /** As it goes out, but for its content. */
  readonly head: Omit<Outgoing, 'body'>
  /** Of the answer's head. */
  readonly headerBytes: number
  /** Nothing of the answer has reached the client: it can still be told. */
  readonly onFailure: (reason: FailureReason) => void
  /** The client has been cut off. */
  readonly onCut: (reason: CloseReason) => void
  /** Nothing has moved for too long. */
  readonly onStall: (reason: CloseReason) => void
}

/**
 * A request that was let through, on its way: its content out, its answer back, both counted and watched. Where it goes
 * has been decided and connected; it may be sent a second time, elsewhere.
 */
export class Passage {
  readonly #options: PassageOptions
  readonly #outgoing: Outgoing
  #relay: ResponseRelay | undefined
  #idle: IdleWatch | undefined
  #sent: Sent | undefined
  #pooled: OriginPooled | undefined
  #sentAgain = false

  constructor(options: PassageOptions) {
    this.#options = options
    const { request, head, hasBody } = options
    const body = hasBody ? readBody(request, (bytes) => this.#moved('in', bytes)) : undefined
    this.#outgoing = { ...head, body }
  }

  /** It has been sent. */
  get isUnderWay(): boolean {
    return this.#relay !== undefined
  }

  sendOn(pooled: OriginPooled): void {
    this.#pooled = pooled
    const relay = this.#begin()
    this.#sent = pooled.connection.send(this.#outgoing, relay)
  }

  /** Takes over the stream. `upgraded` is called instead of an answer where the other side switches. */
  sendOver(stream: Duplex, upgraded: HttpExchangeOptions['upgraded']): void {
    const { headerBytes } = this.#options
    const answering = this.#begin()
    this.#sent = sendOver(stream, this.#outgoing, {
      headerBytes,
      answering,
      ...(upgraded === undefined ? {} : { upgraded }),
    })
  }

  /** Breaks the answer off so that no client can take it for whole. */
  cut(reason: CloseReason): void {
    if (this.#relay === undefined) this.#options.request.socket.destroy()
    else this.#relay.cut(reason)
  }

  /** Whoever gets the request or answers it is left; the client is not told. */
  abort(): void {
    this.#sent?.abort()
  }

  /** After a failure: leaves the connection and says whether the request may be sent once more. */
  mayRepeat(reason: FailureReason): boolean {
    const connection = this.#pooled?.connection
    if (this.#sentAgain || !maySendAgain(this.#outgoing, { reason, connection })) return false
    this.#sentAgain = true
    connection?.destroy()
    this.#pooled = undefined
    return true
  }

  /** Nobody is watched any longer; what is being read and, unless it is through, what it was sent on is let go. */
  stop(options: { isComplete: boolean }): void {
    this.#idle?.stop()
    if (!options.isComplete) {
      this.#sent?.abort()
      this.#pooled?.connection.destroy()
    }
    this.#outgoing.body?.destroy()
  }

  /** From here on somebody else watches. */
  stopWatching(): void {
    this.#idle?.stop()
  }

  #begin(): ResponseRelay {
    const { context, exchange, request, response, expectsContinue } = this.#options
    if (expectsContinue && !this.#sentAgain) response.writeContinue()
    const settings = context.ports.currentInForce()?.settings
    this.#idle ??= new IdleWatch(bodyIdleMsOf(settings), () => this.#stall())
    this.#relay = new ResponseRelay({
      request,
      response,
      correlationId: exchange.correlationId,
      via: context.via.value,
      mayKeepAlive: () => !context.isStopping,
      onProgress: (bytes) => this.#moved('out', bytes),
      onDrain: () => {
        this.#moved('out', 0)
        this.#sent?.resume()
      },
      onEnd: () => this.#giveBack(),
      onFailureBeforeHead: this.#options.onFailure,
      onCut: this.#options.onCut,
    })
    return this.#relay
  }

  #moved(direction: 'in' | 'out', bytes: number): void {
    const { exchange } = this.#options
    if (direction === 'in') exchange.bytesIn += bytes
    else exchange.bytesOut += bytes
    this.#idle?.touch()
  }

  /** Nothing moved: the client stopped sending or taking, or the destination does not answer. */
  #stall(): void {
    const { request, response, onStall } = this.#options
    const isWholeOrStuck = request.complete || (this.#outgoing.body?.readableLength ?? 0) > 0
    const waitsForOrigin = response.headersSent ? !response.writableNeedDrain : isWholeOrStuck
    onStall(waitsForOrigin ? 'backend-timeout' : 'body-idle-timeout')
  }

  /** Whether the connection may carry another client's request: nobody is known on it, and nothing can be unread. */
  #leavesNothing(): boolean {
    const { method, headers, body } = this.#outgoing
    if (this.#relay?.bindsConnection === true || hasBindingCredentials(headers)) return false
    return body === undefined || !mayLeaveContent(method)
  }

  #giveBack(): void {
    const { pool, ports } = this.#options.context
    const pooled = this.#pooled
    this.#pooled = undefined
    if (pooled === undefined) return
    const isCurrent = pooled.version === ports.currentInForce()?.version
    if (!isCurrent || !this.#leavesNothing()) pooled.connection.destroy()
    // undici closes it itself where the answer came before the end of the request.
    else pool.give(pooled)
  }
}
