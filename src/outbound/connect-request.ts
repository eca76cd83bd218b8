import type { Duplex } from 'node:stream'
import { unloggable } from '../audit/record.ts'
import type { CloseReason } from '../reasons.ts'
import { Cancellation } from '../transport/cancellation.ts'
import type { Tunnel } from '../transport/tunnel.ts'
import { type Refusal, type RefusalReason, statusOf } from '../wire/refusal.ts'
import { readConnectTarget } from '../wire/request-head.ts'
import { goesRound, hopsOf } from '../wire/via.ts'
import { answerSocket } from './answer.ts'
import { type Departure, watchDeparture } from './departure.ts'
import { Exchange, type Peer } from './exchange.ts'
import { openExchangeTunnel, tunnelTimeoutsOf } from './exchange-tunnel.ts'
import type { RequestLines } from './forward-head.ts'
import { identifyCaller, tooManyCredentials } from './identify-caller.ts'
import { HelloGate } from './hello-gate.ts'
import { callerHeaderNames } from './outgoing-headers.ts'
import { headerCountOf, type ProxyContext, type UnderWay } from './proxy-context.ts'
import { type Reached, reach } from './reach.ts'
import { describeRefusal, sentenceForConnect } from './refusal-words.ts'
import { refuse, type Refusing } from './refusing.ts'
import { type Admitted, type Asked, decide } from './verdict.ts'

/** Of a CONNECT's head, what is looked at. */
export type ConnectHead = Omit<RequestLines, 'method'>

/** What is inside a tunnel is looked at once it is open. */
const protocol = 'TCP'

const nothing = Buffer.alloc(0)

/**
 * One CONNECT (RFC 9110 9.3.6), from its head to the end of its tunnel:
 *
 *   head ─ decide ─ slot ─ reach ─ register ─ 200 ─ tunnel ─ hello ─ judge
 *
 * Nothing that the client sends after the head is read before the 200, and on a refusal never.
 */
export class ConnectRequest implements UnderWay {
  readonly #context: ProxyContext
  readonly #client: Duplex
  #head: Buffer
  readonly #exchange: Exchange
  readonly #departure: Departure
  readonly #aborted = new Cancellation()
  #asked: Asked | undefined
  #slotOf: string | undefined
  #tunnel: Tunnel | undefined
  #over = false

  /** Owns the socket from here on. `head` is what followed the head in the same read. */
  constructor(context: ProxyContext, arrival: { client: Duplex; head: Buffer; peer: Peer }) {
    const { client, head, peer } = arrival
    this.#context = context
    this.#client = client
    this.#head = head
    this.#exchange = new Exchange(context.ports, {
      listener: context.listener,
      peer: peer.address,
      peerPort: peer.port,
      operationName: 'CONNECT',
    })
    this.#departure = watchDeparture(client, {
      sentEarly: head.length > 0,
      onGone: () => this.#aborted.abort(),
    })
    context.underWay.add(this)
  }

  /** Never rejects. Keeps nothing of the head: a tunnel may be open for a day. */
  async serve(request: ConnectHead): Promise<void> {
    try {
      await this.#serve(request)
    } catch (error) {
      this.#context.ports.log.error({ err: error }, 'a CONNECT could not be served')
      if (this.#tunnel === undefined) this.#answerFault()
      else this.end('internal-error')
    }
  }

  end(reason: CloseReason): void {
    if (this.#tunnel !== undefined) {
      this.#tunnel.end(reason)
      return
    }
    const said = reason === 'policy-revoked' ? reason : 'limit'
    this.#answer(this.#describe(said), reason)
  }

  async #serve(request: ConnectHead): Promise<void> {
    const { ports, slots, dialPeer } = this.#context
    const inForce = ports.currentInForce()
    const reading = readConnectTarget({
      method: 'CONNECT',
      target: request.target,
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
      defaultPort: 0,
      headerCount: headerCountOf(inForce?.settings),
    })
    if (reading.kind === 'bad-request') {
      const { kind: _, ...more } = reading
      const message = sentenceForConnect(request.target)
      this.#refuse({ decision: this.#exchange.deny('bad-request'), ...more, message })
      return
    }
    this.#asked = this.#exchange.asked(reading.authority)
    if (goesRound(hopsOf(request.rawHeaders), this.#context.via)) {
      this.#refuse({ decision: this.#exchange.deny('loop') })
      return
    }
    if (inForce !== undefined) {
      const names = inForce.settings.identity.headers
      this.#exchange.removedHeaders = callerHeaderNames(request.rawHeaders, names)
    }
    if (ports.accessLog.blocksNewWork) {
      this.#refuse({ decision: this.#exchange.deny('limit'), detail: unloggable })
      return
    }
    const { rawHeaders } = request
    const identifying = identifyCaller(this.#exchange, { rawHeaders, inForce })
    const identified = typeof identifying === 'string' ? identifying : await identifying
    if (this.#over) return
    const asked = this.#exchange.asked(reading.authority)
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
    const resource = verdict.resource.id.key
    if (!slots.take(resource, verdict.inForce.settings.limits.tunnelsPerResource)) {
      this.#refuse({ decision: this.#exchange.deny('limit'), detail: 'tunnels of the resource' })
      return
    }
    this.#slotOf = resource
    const reached = await reach({
      exchange: this.#exchange,
      asked,
      admitted: verdict,
      ports,
      dialPeer,
      protocol,
      rawHeaders: request.rawHeaders,
      via: this.#context.via,
      signal: this.#aborted,
      readBy: 'tunnel',
    })
    this.#goOn(reached, asked)
  }

  #goOn(reached: Reached, asked: Asked): void {
    switch (reached.kind) {
      case 'denied':
        this.#refuse(reached)
        return
      case 'failed':
        this.#answer(this.#describe(reached.reason, reached.message), reached.reason)
        return
      case 'gone':
        this.#close('client-closed')
        return
      case 'reached':
        if (this.#over) reached.upstream.stream.destroy()
        else this.#open(reached, asked)
    }
  }

  #open(reached: Extract<Reached, { kind: 'reached' }>, asked: Asked): void {
    const { admitted, address, upstream } = reached
    const revoke = (): void => this.end('policy-revoked')
    if (!this.#exchange.open(asked, { admitted, address, revoke })) {
      upstream.stream.destroy()
      this.#answer(this.#describe('policy-revoked'), 'policy-revoked')
      return
    }
    this.#departure.stop()
    const { correlationId } = this.#exchange
    const clientHead = this.#head
    this.#head = nothing
    const gate = this.#gateTo(asked, admitted)
    this.#tunnel = openExchangeTunnel(this.#exchange, {
      client: this.#client,
      upstream: upstream.stream,
      greeting: `HTTP/1.1 200 Connection established\r\nx-ms-request-id: ${correlationId}\r\n\r\n`,
      status: 200,
      clientHead,
      upstreamHead: nothing,
      gate,
      timeouts: tunnelTimeoutsOf(admitted),
      onEnd: (closeReason) => {
        gate?.stop()
        this.#finish(closeReason)
      },
    })
    gate?.guard(this.#tunnel)
  }

  /** Undefined where no name was decided, or the inbound side of this instance sees to it. */
  #gateTo({ destination }: Asked, { route, inForce }: Admitted): HelloGate | undefined {
    if (destination.host.kind !== 'name' || route.kind === 'fronted') return undefined
    return new HelloGate({
      port: destination.port,
      headerMs: inForce.settings.timeouts.headerMs,
      judge: (hello) => this.#exchange.hear(hello),
    })
  }

  #refuse(refusing: Omit<Refusing, 'asked' | 'protocol' | 'html'>): void {
    const asked = this.#asked
    this.#answer(refuse(this.#exchange, { ...refusing, asked, protocol, html: false }), 'complete')
  }

  #answerFault(): void {
    if (this.#exchange.recorded) this.#answer(this.#describe('internal-error'), 'internal-error')
    else this.#refuse({ decision: this.#exchange.deny('internal-error') })
  }

  #describe(reason: RefusalReason, message?: string): Refusal {
    const { correlationId } = this.#exchange
    const destination = this.#asked?.destination
    return describeRefusal({ reason, correlationId, destination, message })
  }

  #answer(refusal: Refusal, closeReason: CloseReason): void {
    if (this.#over) return
    this.#departure.stop()
    answerSocket(this.#client, refusal)
    this.#finish(closeReason, refusal.status ?? statusOf(refusal.reason))
  }

  #close(closeReason: CloseReason): void {
    if (this.#over) return
    this.#departure.stop()
    this.#client.destroy()
    this.#finish(closeReason)
  }

  #finish(closeReason: CloseReason, status?: number): void {
    if (this.#over) return
    this.#over = true
    this.#aborted.abort()
    if (this.#slotOf !== undefined) this.#context.slots.release(this.#slotOf)
    this.#exchange.close(closeReason, status)
    this.#context.underWay.delete(this)
  }
}
