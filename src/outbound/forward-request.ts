import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { unloggable } from '../audit/record.ts'
import type { CloseReason, FailureReason } from '../reasons.ts'
import type { Tunnel } from '../transport/tunnel.ts'
import { prefersHtml } from '../wire/accept.ts'
import { type Refusal, statusOf } from '../wire/refusal.ts'
import { answerRequest, lingerFor } from './answer.ts'
import type { Outgoing } from './answering.ts'
import { poolKey } from './connection-pool.ts'
import type { OriginPooled } from './undici.ts'
import { type Departure, watchDeparture } from './departure.ts'
import { describeDestination, Exchange } from './exchange.ts'
import { openExchangeTunnel, type TunnelTimeouts, tunnelTimeoutsOf } from './exchange-tunnel.ts'
import { type ForwardArrival, readForwardHead } from './forward-head.ts'
import { identifyCaller, tooManyCredentials } from './identify-caller.ts'
import { writeOutgoingHeaders } from './outgoing-headers.ts'
import { Passage } from './passage.ts'
import { headerCountOf, type ProxyContext, type Unanswered } from './proxy-context.ts'
import { type Reached, reach } from './reach.ts'
import { denialFor, type Said, sayingFor } from './refusal-words.ts'
import { refuse, type Refusing, wordFailure } from './refusing.ts'
import { openConnection } from './undici.ts'
import { renderSwitch, type UpgradeArrival, webSocketFields } from './upgrade.ts'
import { type Admitted, type Asked, decide } from './verdict.ts'

const protocol = 'HTTP:TCP'

/**
 * One request in absolute-form (RFC 9112 3.2.2), from its head to the last byte of its answer:
 *
 *   head ─ decide ─ pooled connection, or reach ─ register ─ send ─ relay the answer
 *
 * Each request on a client's connection is decided anew, whatever became of the one before.
 */
export class ForwardRequest implements Unanswered {
  readonly #context: ProxyContext
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #expectsContinue: boolean
  readonly #onAmbiguous: (() => void) | undefined
  readonly #exchange: Exchange
  readonly #aborted = new AbortController()
  #asked: Asked | undefined
  #passage: Passage | undefined
  #headerBytes = 0
  #upgrade: UpgradeArrival | undefined
  #departure: Departure | undefined
  #slotOf: string | undefined
  #tunnel: Tunnel | undefined
  #over = false

  constructor(context: ProxyContext, arrival: ForwardArrival) {
    const { request, response, peer, expectsContinue, upgrade } = arrival
    this.#context = context
    this.#request = request
    this.#response = response
    this.#expectsContinue = expectsContinue
    this.#onAmbiguous = arrival.onAmbiguous
    this.#exchange = new Exchange(context.ports, {
      listener: context.listener,
      peer: peer.address,
      peerPort: peer.port,
      operationName: request.method ?? '',
    })
    if (upgrade !== undefined) {
      this.#upgrade = upgrade
      const sentEarly = upgrade.head.length > 0
      const onGone = (): void => void upgrade.client.destroy()
      this.#departure = watchDeparture(upgrade.client, { sentEarly, onGone })
    }
    context.underWay.add(this)
    response.once('finish', () => this.#finish('complete', response.statusCode))
    response.once('close', () => this.leave())
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
    if (this.#tunnel !== undefined) {
      this.#tunnel.end(reason)
      return
    }
    this.#passage?.abort()
    if (this.#response.headersSent) {
      this.#cut(reason)
      return
    }
    const denial = denialFor(reason)
    const said = sayingFor(reason)
    if (denial !== undefined && !this.#exchange.recorded) {
      this.#refuse({ decision: this.#exchange.deny(denial), message: said.message })
      return
    }
    this.#say(this.#word(said), reason)
  }

  leave(closeReason?: CloseReason): void {
    const { errored } = this.#request.socket
    this.#finish(closeReason ?? (errored === null ? 'client-closed' : 'client-reset'))
  }

  async #serve(): Promise<void> {
    const { ports } = this.#context
    const request = this.#request
    const inForce = ports.currentInForce()
    const isUpgrade = this.#upgrade !== undefined
    const headerCount = headerCountOf(inForce?.settings)
    const { method = '', url: target = '', httpVersion, rawHeaders } = request
    const lines = { method, target, httpVersion, rawHeaders }
    const { via } = this.#context
    const reading = readForwardHead(lines, { headerCount, isUpgrade, via })
    if (reading.authority !== undefined) this.#asked = this.#exchange.asked(reading.authority)
    if (reading.kind !== 'head') {
      const { kind, authority: _, ...more } = reading
      this.#refuse({ decision: this.#exchange.deny(kind), ...more })
      return
    }
    const { authority, path, hasBody } = reading
    const names = inForce?.settings.identity.headers
    const written = writeOutgoingHeaders(request.rawHeaders, { authority, names, via })
    this.#exchange.removedHeaders = written.removed
    if (ports.accessLog.blocksNewWork) {
      this.#refuse({ decision: this.#exchange.deny('limit'), detail: unloggable })
      return
    }
    const identifying = identifyCaller(this.#exchange, { rawHeaders, inForce })
    const identified = typeof identifying === 'string' ? identifying : await identifying
    if (this.#over) return
    const asked = this.#exchange.asked(authority)
    this.#asked = asked
    if (identified === 'busy') {
      this.#refuse({ decision: this.#exchange.deny('limit'), detail: tooManyCredentials })
      return
    }
    const verdict = decide(asked, ports.currentInForce())
    if (verdict.kind === 'denied') {
      this.#refuse(verdict)
      return
    }
    const { limits } = verdict.inForce.settings
    const resource = verdict.resource.id.key
    if (isUpgrade && !this.#context.slots.take(resource, limits.tunnelsPerResource)) {
      this.#refuse({ decision: this.#exchange.deny('limit'), detail: 'tunnels of the resource' })
      return
    }
    if (isUpgrade) this.#slotOf = resource
    const headers = isUpgrade ? [...written.headers, ...webSocketFields] : written.headers
    this.#headerBytes = limits.headerBytes
    this.#passage = this.#newPassage({ method: request.method ?? '', path, headers }, hasBody)
    const pooled = isUpgrade ? undefined : this.#takePooled(verdict, asked)
    if (pooled === undefined) await this.#reach(verdict, asked)
    else this.#sendPooled(pooled, { admitted: verdict, asked })
  }

  #takePooled(admitted: Admitted, asked: Asked): OriginPooled | undefined {
    if (admitted.route.kind === 'fronted') return undefined
    return this.#context.pool.take(poolKey(admitted, asked))
  }

  #sendPooled(
    pooled: OriginPooled,
    { admitted, asked }: { admitted: Admitted; asked: Asked },
  ): void {
    const { address } = pooled
    const destination = describeDestination(asked, { protocol, admitted, address })
    this.#exchange.record(admitted.decision, { destination })
    if (!this.#register({ admitted, asked, address })) {
      pooled.connection.destroy()
      return
    }
    this.#begun().sendOn(pooled)
  }

  async #reach(admitted: Admitted, asked: Asked): Promise<void> {
    const { ports, dialPeer } = this.#context
    const exchange = this.#exchange
    const { signal } = this.#aborted
    const reached = await reach({
      exchange,
      asked,
      admitted,
      ports,
      dialPeer,
      protocol,
      rawHeaders: this.#request.rawHeaders,
      via: this.#context.via,
      signal,
    })
    if (reached.kind === 'reached') await this.#goOn(reached, asked)
    else if (reached.kind === 'denied' && exchange.recorded) this.end('policy-revoked')
    else if (reached.kind === 'denied') this.#refuse(reached)
    else if (reached.kind === 'failed') this.#answer(reached.reason, reached.message)
    else this.leave()
  }

  async #goOn(reached: Extract<Reached, { kind: 'reached' }>, asked: Asked): Promise<void> {
    const { admitted, address, upstream } = reached
    const { stream } = upstream
    if (upstream.kind === 'delivered' || this.#upgrade !== undefined) {
      if (this.#over || !this.#register({ admitted, asked, address })) stream.destroy()
      else this.#sendOver(stream, admitted)
      return
    }
    const connection = await openConnection(upstream.stream, { headerBytes: this.#headerBytes })
    if (this.#over || !this.#register({ admitted, asked, address })) {
      connection.destroy()
      return
    }
    const { version } = admitted.inForce
    const key = poolKey(admitted, asked)
    this.#begun().sendOn({ connection, key, version, address })
  }

  /** False: what is in force now does not allow it any more, and the client has been told. */
  #register(facts: {
    admitted: Admitted
    asked: Asked
    address: OriginPooled['address']
  }): boolean {
    const { admitted, asked, address } = facts
    const revoke = (): void => this.end('policy-revoked')
    if (this.#exchange.open(asked, { admitted, address, revoke })) return true
    this.end('policy-revoked')
    return false
  }

  #newPassage(head: Omit<Outgoing, 'body'>, hasBody: boolean): Passage {
    return new Passage({
      context: this.#context,
      exchange: this.#exchange,
      request: this.#request,
      response: this.#response,
      expectsContinue: this.#expectsContinue,
      hasBody,
      head,
      headerBytes: this.#headerBytes,
      onFailure: (reason) => this.#fail(reason),
      onCut: (reason) => this.#finish(reason),
      onStall: (reason) => this.end(reason),
    })
  }

  #begun(): Passage {
    if (this.#passage === undefined) throw new Error('nothing to send')
    return this.#passage
  }

  #sendOver(stream: Duplex, admitted: Admitted): void {
    const upgrade = this.#upgrade
    const timeouts = tunnelTimeoutsOf(admitted)
    const upgraded =
      upgrade === undefined
        ? undefined
        : (answer: IncomingMessage, upstreamHead: Buffer): void => {
            this.#switch(answer, { stream, upstreamHead, upgrade, timeouts })
          }
    this.#begun().sendOver(stream, upgraded)
  }

  /** The destination has switched: from here on it is a tunnel. */
  #switch(
    answer: IncomingMessage,
    facts: {
      stream: Duplex
      upstreamHead: Buffer
      upgrade: UpgradeArrival
      timeouts: TunnelTimeouts
    },
  ): void {
    const { stream, upstreamHead, upgrade, timeouts } = facts
    const head = renderSwitch(answer, {
      correlationId: this.#exchange.correlationId,
      via: this.#context.via,
    })
    if (this.#over || head === undefined) {
      stream.destroy()
      this.#fail('backend-invalid')
      return
    }
    this.#passage?.stopWatching()
    this.#departure?.stop()
    this.#response.detachSocket(this.#request.socket)
    this.#tunnel = openExchangeTunnel(this.#exchange, {
      client: upgrade.client,
      upstream: stream,
      greeting: head,
      status: 101,
      clientHead: upgrade.head,
      upstreamHead,
      timeouts,
      onEnd: (closeReason) => this.#finish(closeReason),
    })
  }

  #fail(reason: FailureReason): void {
    if (this.#over) return
    if (this.#passage?.mayRepeat(reason) === true) {
      void this.#retry()
      return
    }
    this.#passage?.abort()
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

  #refuse(refusing: Omit<Refusing, 'asked' | 'protocol' | 'html'>): void {
    const html = prefersHtml(this.#request.rawHeaders)
    const asked = this.#asked
    // A head that does not read one way only says nothing about where the next request begins.
    if (refusing.decision.reason === 'bad-request') {
      this.#response.shouldKeepAlive = false
      this.#onAmbiguous?.()
    }
    this.#say(refuse(this.#exchange, { ...refusing, asked, protocol, html }), 'complete')
  }

  #answer(reason: FailureReason, message?: string): void {
    this.#say(this.#word({ reason, message }), reason)
  }

  #word(said: Said): Refusal {
    const { rawHeaders } = this.#request
    return wordFailure(this.#exchange, { ...said, asked: this.#asked, rawHeaders })
  }

  #say(refusal: Refusal, closeReason: CloseReason): void {
    if (this.#over) return
    const { status } = refusal
    this.#finish(closeReason, status ?? statusOf(refusal.reason))
    answerRequest({ request: this.#request, response: this.#response }, refusal)
  }

  #cut(reason: CloseReason): void {
    if (this.#passage === undefined) this.#request.socket.destroy()
    else this.#passage.cut(reason)
    this.#finish(reason)
  }

  #finish(closeReason: CloseReason, status?: number): void {
    if (this.#over) return
    this.#over = true
    this.#departure?.stop()
    this.#aborted.abort()
    if (this.#slotOf !== undefined) this.#context.slots.release(this.#slotOf)
    this.#passage?.stop({ isComplete: closeReason === 'complete' })
    const sent = this.#response.headersSent ? this.#response.statusCode : undefined
    this.#exchange.close(closeReason, status ?? sent)
    this.#context.underWay.delete(this)
    const isCutShort = !this.#request.complete && this.#upgrade === undefined
    if (closeReason === 'complete' && isCutShort && this.#passage?.isUnderWay === true) {
      lingerFor(this.#request)
    }
  }
}

function ignore(): void {
  // Both end with 'close', which is watched.
}
