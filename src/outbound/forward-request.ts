import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CloseReason, FailureReason } from '../reasons.ts'
import type { Authority } from '../wire/authority.ts'
import { type Refusal, statusOf } from '../wire/refusal.ts'
import { readOutboundHead } from '../wire/request-head.ts'
import { answerRequest, lingerFor } from './answer.ts'
import type { Outgoing, Sent } from './answering.ts'
import { poolKey, type Pooled } from './connection-pool.ts'
import { describeDestination, Exchange, type Peer } from './exchange.ts'
import { sendOver } from './http-exchange.ts'
import { IdleWatch } from './idle-watch.ts'
import {
  announcesBody,
  countOwnHops,
  httpPort,
  maxOwnHops,
  writeOutgoingHeaders,
} from './outgoing-headers.ts'
import { bodyIdleMsOf, headerCountOf, type ProxyContext, type UnderWay } from './proxy-context.ts'
import { type Reached, reach } from './reach.ts'
import { describeRefusal, prefersPage, sentenceForTarget } from './refusal-words.ts'
import { refuse, type Refusing } from './refusing.ts'
import { readBody } from './request-body.ts'
import { ResponseRelay } from './response-relay.ts'
import { openConnection } from './undici.ts'
import { type Admitted, type Asked, decide } from './verdict.ts'

const protocol = 'HTTP:TCP'

/** RFC 9110 9.2.2. */
const idempotent: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
])

/**
 * One request in absolute-form (RFC 9112 3.2.2), from its head to the last byte of its answer:
 *
 *   head ─ decide ─ pooled connection, or reach ─ register ─ send ─ relay the answer
 *
 * Each request on a client's connection is decided anew, whatever became of the one before.
 */
export class ForwardRequest implements UnderWay {
  readonly #context: ProxyContext
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #expectsContinue: boolean
  readonly #exchange: Exchange
  readonly #aborted = new AbortController()
  #asked: Asked | undefined
  #outgoing: Outgoing | undefined
  #headerBytes = 0
  #relay: ResponseRelay | undefined
  #idle: IdleWatch | undefined
  #sent: Sent | undefined
  #pooled: Pooled | undefined
  #retried = false
  #over = false

  constructor(
    context: ProxyContext,
    arrival: {
      request: IncomingMessage
      response: ServerResponse
      peer: Peer
      expectsContinue: boolean
    },
  ) {
    const { request, response, peer, expectsContinue } = arrival
    this.#context = context
    this.#request = request
    this.#response = response
    this.#expectsContinue = expectsContinue
    this.#exchange = new Exchange(context.ports, {
      listener: context.listener,
      peer: peer.address,
      peerPort: peer.port,
      operationName: request.method ?? '',
    })
    context.underWay.add(this)
    response.once('finish', () => this.#finish('complete', response.statusCode))
    response.once('close', () => {
      this.#finish(request.socket.errored === null ? 'client-closed' : 'client-reset')
    })
    request.on('error', ignore)
    response.on('error', ignore)
  }

  /** Never rejects. */
  async serve(): Promise<void> {
    try {
      await this.#serve()
    } catch (error) {
      this.#context.ports.log.error({ err: error }, 'a request could not be forwarded')
      this.end('internal-error')
    }
  }

  end(reason: CloseReason): void {
    if (this.#over) return
    this.#sent?.abort()
    if (this.#response.headersSent) {
      this.#cut(reason)
      return
    }
    if (reason === 'internal-error' && !this.#exchange.recorded) {
      this.#refuse({ decision: this.#exchange.deny(reason) })
      return
    }
    const said = answerable.get(reason) ?? { reason: 'internal-error' }
    this.#say(describeRefusal({ ...this.#addressee(), ...said }), reason)
  }

  async #serve(): Promise<void> {
    const { ports } = this.#context
    const inForce = ports.currentInForce()
    const { rawHeaders, httpVersion } = this.#request
    const method = this.#request.method ?? ''
    const target = this.#request.url ?? ''
    const reading = readOutboundHead({
      method,
      target,
      httpVersion,
      rawHeaders,
      defaultPort: httpPort,
      headerCount: headerCountOf(inForce?.settings),
    })
    if (reading.kind === 'bad-request') {
      this.#refuseBad(reading.detail, sentenceForTarget(target))
      return
    }
    const asked = this.#exchange.asked(reading.authority)
    this.#asked = asked
    if (countOwnHops(rawHeaders) >= maxOwnHops) {
      this.#refuseBad('the request passed here before', 'the request is going round in circles')
      return
    }
    const verdict = decide(asked, inForce)
    if (verdict.kind === 'denied') {
      this.#refuse(verdict)
      return
    }
    const { settings } = verdict.inForce
    const names = settings.identity.headers
    const { headers, removed } = writeOutgoingHeaders(rawHeaders, {
      authority: reading.authority,
      names,
    })
    this.#exchange.removedHeaders = removed
    const body = announcesBody(rawHeaders)
      ? readBody(this.#request, (bytes) => this.#moved('in', bytes))
      : undefined
    this.#outgoing = { method, path: reading.path, headers, body }
    this.#headerBytes = settings.limits.headerBytes
    const pooled = this.#takePooled(verdict, asked)
    if (pooled === undefined) await this.#reach(verdict, asked)
    else this.#sendPooled(pooled, { admitted: verdict, asked })
  }

  #takePooled(admitted: Admitted, asked: Asked): Pooled | undefined {
    if (admitted.route.kind === 'fronted') return undefined
    return this.#context.pool.take(poolKey(admitted.inForce.version, asked.destination))
  }

  #sendPooled(pooled: Pooled, { admitted, asked }: { admitted: Admitted; asked: Asked }): void {
    const { address } = pooled
    const destination = describeDestination(asked, { protocol, admitted, address })
    this.#exchange.record(admitted.decision, { destination })
    if (!this.#register({ admitted, asked, address })) {
      pooled.connection.destroy()
      return
    }
    this.#sendOn(pooled)
  }

  async #reach(admitted: Admitted, asked: Asked): Promise<void> {
    const { ports, dialPeer } = this.#context
    const exchange = this.#exchange
    const { signal } = this.#aborted
    const reached = await reach({ exchange, asked, admitted, ports, dialPeer, protocol, signal })
    if (reached.kind === 'reached') await this.#goOn(reached, asked)
    else if (this.#over) return
    else if (reached.kind === 'denied' && exchange.recorded) this.end('policy-revoked')
    else if (reached.kind === 'denied') this.#refuse(reached)
    else if (reached.kind === 'failed') this.#answer(reached.reason)
    else this.#finish('client-closed')
  }

  async #goOn(reached: Extract<Reached, { kind: 'reached' }>, asked: Asked): Promise<void> {
    const { admitted, address, upstream } = reached
    if (upstream.kind === 'delivered') {
      if (this.#over || !this.#register({ admitted, asked, address })) upstream.stream.destroy()
      else this.#deliverOver(upstream.stream)
      return
    }
    const { stream } = upstream
    const connection = await openConnection(stream, { headerBytes: this.#headerBytes })
    if (this.#over || !this.#register({ admitted, asked, address })) {
      connection.destroy()
      return
    }
    const { version } = admitted.inForce
    const key = poolKey(version, asked.destination)
    this.#sendOn({ connection, key, version, address })
  }

  /** False: what is in force now does not allow it any more, and the client has been told. */
  #register(facts: { admitted: Admitted; asked: Asked; address: Pooled['address'] }): boolean {
    const { admitted, asked, address } = facts
    const revoke = (): void => this.end('policy-revoked')
    if (this.#exchange.open(asked, { admitted, address, revoke })) return true
    this.end('policy-revoked')
    return false
  }

  #sendOn(pooled: Pooled): void {
    this.#pooled = pooled
    const { outgoing, relay } = this.#begin()
    this.#sent = pooled.connection.send(outgoing, relay)
  }

  #deliverOver(stream: Parameters<typeof sendOver>[0]): void {
    const { outgoing, relay } = this.#begin()
    const headerBytes = this.#headerBytes
    this.#sent = sendOver(stream, outgoing, { headerBytes, answering: relay })
  }

  #begin(): { outgoing: Outgoing; relay: ResponseRelay } {
    const outgoing = this.#outgoing
    if (outgoing === undefined) throw new Error('nothing to send')
    if (this.#expectsContinue && !this.#retried) this.#response.writeContinue()
    this.#idle ??= new IdleWatch(bodyIdleMsOf(this.#context.ports.currentInForce()?.settings), () =>
      this.#stall(),
    )
    this.#relay = new ResponseRelay({
      request: this.#request,
      response: this.#response,
      correlationId: this.#exchange.correlationId,
      mayKeepAlive: () => !this.#context.isStopping,
      onProgress: (bytes) => this.#moved('out', bytes),
      onDrain: () => {
        this.#moved('out', 0)
        this.#sent?.resume()
      },
      onEnd: () => this.#giveBack(),
      onFailureBeforeHead: (reason) => this.#fail(reason),
      onCut: (reason) => this.#finish(reason),
    })
    return { outgoing, relay: this.#relay }
  }

  #moved(direction: 'in' | 'out', bytes: number): void {
    if (direction === 'in') this.#exchange.bytesIn += bytes
    else this.#exchange.bytesOut += bytes
    this.#idle?.touch()
  }

  /** Nothing moved: the client stopped sending or taking, or the destination does not answer. */
  #stall(): void {
    const isWholeOrStuck = this.#request.complete || (this.#outgoing?.body?.readableLength ?? 0) > 0
    const waitsForOrigin = isWholeOrStuck && !this.#response.headersSent
    this.end(waitsForOrigin ? 'backend-timeout' : 'body-idle-timeout')
  }

  /** The destination may have closed an idle connection as the request arrived (RFC 9112 9.3.1): once, on a fresh one. */
  #fail(reason: FailureReason): void {
    if (this.#over) return
    const { method, body } = this.#outgoing ?? { method: '', body: undefined }
    const canRetry = body === undefined && idempotent.has(method) && !this.#retried
    if (canRetry && reason === 'backend-reset' && this.#pooled?.connection.isReused === true) {
      this.#retried = true
      this.#pooled = undefined
      void this.#retry()
      return
    }
    this.#sent?.abort()
    this.#answer(reason)
  }

  async #retry(): Promise<void> {
    try {
      const asked = this.#asked
      if (asked === undefined) return
      const verdict = decide(asked, this.#context.ports.currentInForce())
      if (verdict.kind === 'denied') this.end('policy-revoked')
      else await this.#reach(verdict, asked)
    } catch (error) {
      this.#context.ports.log.error({ err: error }, 'a request could not be sent again')
      this.end('internal-error')
    }
  }

  #giveBack(): void {
    const pooled = this.#pooled
    this.#pooled = undefined
    if (pooled === undefined) return
    if (pooled.version !== this.#context.ports.currentInForce()?.version)
      pooled.connection.destroy()
    // undici closes it itself where the answer came before the end of the request.
    else this.#context.pool.give(pooled)
  }

  #refuseBad(detail: string, message: string | undefined): void {
    this.#refuse({ decision: this.#exchange.deny('bad-request'), detail, message })
  }

  #refuse(refusing: Omit<Refusing, 'asked' | 'protocol' | 'html'>): void {
    const html = prefersPage(this.#request.rawHeaders)
    const asked = this.#asked
    this.#say(refuse(this.#exchange, { ...refusing, asked, protocol, html }), 'complete')
  }

  #answer(reason: FailureReason): void {
    this.#say(describeRefusal({ ...this.#addressee(), reason }), reason)
  }

  #addressee(): { correlationId: string; destination: Authority | undefined; html: boolean } {
    return {
      correlationId: this.#exchange.correlationId,
      destination: this.#asked?.destination,
      html: prefersPage(this.#request.rawHeaders),
    }
  }

  #say(refusal: Refusal, closeReason: CloseReason): void {
    if (this.#over) return
    const { status } = refusal
    this.#finish(closeReason, status ?? statusOf(refusal.reason))
    answerRequest({ request: this.#request, response: this.#response }, refusal)
  }

  #cut(reason: CloseReason): void {
    if (this.#relay === undefined) this.#request.socket.destroy()
    else this.#relay.cut(reason)
    this.#finish(reason)
  }

  #finish(closeReason: CloseReason, status?: number): void {
    if (this.#over) return
    this.#over = true
    this.#idle?.stop()
    this.#aborted.abort()
    if (closeReason !== 'complete') {
      this.#sent?.abort()
      this.#pooled?.connection.destroy()
    }
    this.#outgoing?.body?.destroy()
    this.#exchange.close(closeReason, status ?? this.#statusSent())
    this.#context.underWay.delete(this)
    if (closeReason === 'complete' && !this.#request.complete && this.#relay !== undefined) {
      lingerFor(this.#request)
    }
  }

  #statusSent(): number | undefined {
    return this.#response.headersSent ? this.#response.statusCode : undefined
  }
}

type Said = Pick<Parameters<typeof describeRefusal>[0], 'reason' | 'status' | 'message'>

/** What a client is told that has been told nothing yet. */
const answerable: ReadonlyMap<CloseReason, Said> = new Map<CloseReason, Said>([
  ['policy-revoked', { reason: 'policy-revoked' }],
  ['backend-timeout', { reason: 'backend-timeout' }],
  [
    'body-idle-timeout',
    { reason: 'bad-request', status: 408, message: 'the content of the request stopped coming' },
  ],
  ['drain-timeout', { reason: 'limit', message: 'this proxy is being shut down' }],
])

function ignore(): void {
  // Both end with 'close', which is watched.
}
