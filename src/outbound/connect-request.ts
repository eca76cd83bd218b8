import type { Duplex } from 'node:stream'
import { unloggable } from '../audit/record.ts'
import { reasonOf } from '../policy/judge-opening.ts'
import type { CloseReason } from '../reasons.ts'
import { Cancellation } from '../transport/cancellation.ts'
import { cut } from '../transport/cut.ts'
import type { Tunnel } from '../transport/tunnel.ts'
import { type ClientHello, nameIn } from '../wire/client-hello.ts'
import type { Authority } from '../wire/authority.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { type Refusal, type RefusalReason, statusOf } from '../wire/refusal.ts'
import { readConnectTarget } from '../wire/request-head.ts'
import { goesRound, hopsOf } from '../wire/via.ts'
import { answerByAlert, answerSocket } from './answer.ts'
import { type Departure, watchDeparture } from './departure.ts'
import { Exchange, type Peer } from './exchange.ts'
import { openExchangeTunnel, tunnelTimeoutsOf } from './exchange-tunnel.ts'
import { takeFirstLine } from './first-line.ts'
import type { Direct, RequestLines } from './forward-head.ts'
import { identifyCaller, tooManyCredentials } from './identify-caller.ts'
import { HelloGate } from './hello-gate.ts'
import { keepForRequests } from './keep-for-requests.ts'
import { callerHeaderNames, httpPort } from './outgoing-headers.ts'
import { headerCountOf, type ProxyContext, type UnderWay } from './proxy-context.ts'
import { type Reached, reach } from './reach.ts'
import { describeRefusal, sentenceForConnect } from './refusal-words.ts'
import { refuse, type Refusing } from './refusing.ts'
import { type Admitted, type Asked, decide } from './verdict.ts'

/** Of a CONNECT's head, what is looked at. */
export type ConnectHead = Omit<RequestLines, 'method'>

export interface ConnectArrival {
  readonly client: Duplex
  /** What followed the head in the same read. */
  readonly head: Buffer
  readonly peer: Peer
  /** The client knows of no proxy: it hears of nothing but its TLS, of which `head` is what has come. */
  readonly isRedirected?: boolean
  /** Takes the connection over to serve requests on it; absent where it never becomes HTTP. */
  readonly speakDirectly?: (direct: Direct, bytes: Buffer) => void
}

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
  #hello: ClientHello | undefined
  #slotOf: string | undefined
  #tunnel: Tunnel | undefined
  readonly #isRedirected: boolean
  readonly #speakDirectly: ConnectArrival['speakDirectly']
  /** Ends the time between the 200 and the first line. */
  #stopListening: (() => void) | undefined
  #over = false

  /** Owns the socket from here on. `head` is what followed the head in the same read. */
  constructor(context: ProxyContext, arrival: ConnectArrival) {
    const { client, head, peer, isRedirected = false, speakDirectly } = arrival
    this.#isRedirected = isRedirected
    this.#speakDirectly = speakDirectly
    this.#context = context
    this.#client = client
    this.#head = head
    this.#exchange = new Exchange(context.ports, {
      listener: context.listener,
      peer: peer.address,
      peerPort: peer.port,
      operationName: isRedirected ? 'ClientHello' : 'CONNECT',
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

  /** The same for a client that was led here: its hello says where it wants to go. Never rejects. */
  async serveHello(hello: ClientHello, port: number): Promise<void> {
    try {
      const name = nameIn(hello)
      // Without a name there is nowhere to go, whatever the access mode.
      if (name === undefined) this.#refuse({ decision: this.#exchange.deny(reasonOf(hello)) })
      else {
        this.#hello = hello
        await this.#seek({ host: { kind: 'name', name }, port }, [])
      }
    } catch (error) {
      this.#context.ports.log.error({ err: error }, 'a redirected connection could not be served')
      if (this.#tunnel === undefined) this.#answerFault()
      else this.end('internal-error')
    }
  }

  end(reason: CloseReason): void {
    if (this.#tunnel !== undefined) {
      this.#tunnel.end(reason)
      return
    }
    if (this.#stopListening !== undefined) {
      cut(this.#client)
      this.#finish(reason)
      return
    }
    const said = reason === 'policy-revoked' ? reason : 'limit'
    this.#answer(this.#describe(said), reason)
  }

  async #serve(request: ConnectHead): Promise<void> {
    const inForce = this.#context.ports.currentInForce()
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
    await this.#seek(reading.authority, request.rawHeaders)
  }

  /** From what is asked to the tunnel. */
  async #seek(destination: Authority, rawHeaders: RawHeaders): Promise<void> {
    const { ports, slots, dialPeer } = this.#context
    this.#asked = this.#exchange.asked(destination)
    const inForce = ports.currentInForce()
    if (ports.accessLog.blocksNewWork) {
      this.#refuse({ decision: this.#exchange.deny('limit'), detail: unloggable })
      return
    }
    const identifying = identifyCaller(this.#exchange, { rawHeaders, inForce })
    const identified = typeof identifying === 'string' ? identifying : await identifying
    if (this.#over) return
    const asked = this.#exchange.asked(destination)
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
      rawHeaders,
      via: this.#context.via,
      signal: this.#aborted,
      // What becomes of the port of HTTP is known only once the client has spoken.
      readBy: this.#mayBeHttp(asked) ? undefined : 'tunnel',
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
    const { admitted, upstream } = reached
    const { address } = reached
    const revoke = (): void => this.end('policy-revoked')
    if (!this.#exchange.open(asked, { admitted, address, revoke })) {
      upstream.stream.destroy()
      this.#answer(this.#describe('policy-revoked'), 'policy-revoked')
      return
    }
    this.#departure.stop()
    if (this.#hello !== undefined) {
      const refused = this.#exchange.hear(this.#hello)
      if (refused !== undefined) {
        upstream.stream.destroy()
        this.#answer(this.#describe(refused), refused)
        return
      }
    } else if (admitted.route.kind !== 'fronted' && this.#mayBeHttp(asked)) {
      this.#listen(reached, asked)
      return
    }
    const head = this.#head
    this.#join(reached, { greeting: this.#greeting(), head, gate: this.#gateTo(asked, admitted) })
  }

  #join(
    { upstream, admitted }: Extract<Reached, { kind: 'reached' }>,
    more: { greeting: string; head: Buffer; gate: HelloGate | undefined },
  ): void {
    const { greeting, head, gate } = more
    this.#head = nothing
    this.#tunnel = openExchangeTunnel(this.#exchange, {
      client: this.#client,
      upstream: upstream.stream,
      greeting,
      status: 200,
      clientHead: head,
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

  #greeting(): string {
    if (this.#isRedirected) return ''
    const { correlationId } = this.#exchange
    return `HTTP/1.1 200 Connection established\r\nx-ms-request-id: ${correlationId}\r\n\r\n`
  }

  #mayBeHttp({ destination }: Asked): boolean {
    const { host, port } = destination
    return this.#speakDirectly !== undefined && port === httpPort && host.kind === 'name'
  }

  /**
   * On the port of HTTP: 200, and then what the client says first. Requests are served one by one, as those in
   * absolute-form are, and each must be for the decided host; TLS is held to it as everywhere.
   */
  #listen(reached: Extract<Reached, { kind: 'reached' }>, asked: Asked): void {
    const { stream } = reached.upstream
    const { headerMs } = reached.admitted.inForce.settings.timeouts
    this.#client.write(this.#greeting(), 'latin1')
    const watch = takeFirstLine(this.#client, {
      head: this.#head,
      headerMs,
      done: ({ begins, bytes: head }) => {
        this.#stopListening = undefined
        if (begins === 'silent') {
          stream.destroy()
          this.#close('client-closed')
        } else if (begins === 'tls') {
          this.#join(reached, { greeting: '', head, gate: this.#gateTo(asked, reached.admitted) })
        } else if (begins === 'http') this.#turnToHttp(reached, { asked, head })
        else this.#goOnBlind(reached, head)
      },
    })
    this.#stopListening = () => {
      watch.stop()
      stream.destroy()
    }
  }

  #goOnBlind(reached: Extract<Reached, { kind: 'reached' }>, head: Buffer): void {
    const refused = this.#exchange.hear({ kind: 'not-http' })
    if (refused === undefined) {
      this.#join(reached, { greeting: '', head, gate: undefined })
      return
    }
    reached.upstream.stream.destroy()
    this.#answer(this.#describe(refused), refused)
  }

  /** The connection is one of requests from here on, and what was dialled waits for the first of them. */
  #turnToHttp(
    { upstream, admitted, address }: Extract<Reached, { kind: 'reached' }>,
    { asked, head }: { asked: Asked; head: Buffer },
  ): void {
    const { destination } = asked
    const kept = keepForRequests(this.#context, { upstream, admitted, address, asked })
    this.#finish('complete', 200)
    const { host, port } = destination
    const direct = { host, port, evidence: asked.evidence }
    if (kept === undefined) this.#speakDirectly?.(direct, head)
    else void kept.then(() => this.#speakDirectly?.(direct, head))
  }

  /** Undefined where no name was decided, or the inbound side of this instance sees to it. */
  #gateTo({ destination }: Asked, { route, inForce }: Admitted): HelloGate | undefined {
    if (this.#isRedirected || destination.host.kind !== 'name') return undefined
    if (route.kind === 'fronted') return undefined
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
    if (this.#isRedirected) answerByAlert(this.#client, refusal.reason)
    else answerSocket(this.#client, refusal)
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
    this.#stopListening?.()
    this.#aborted.abort()
    if (this.#slotOf !== undefined) this.#context.slots.release(this.#slotOf)
    this.#exchange.close(closeReason, status)
    this.#context.underWay.delete(this)
  }
}
