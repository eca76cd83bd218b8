import { unloggable } from '../audit/record.ts'
import type { CloseReason, FailureReason } from '../reasons.ts'
import type { InForce } from '../settings/in-force.ts'
import { currentDateLine } from '../transport/relay/answer-head.ts'
import type { Crossing, CrossingOwner, RequestFault } from '../transport/relay/crossing.ts'
import type { UpstreamSource } from '../transport/relay/forwarding.ts'
import { restingMs } from '../transport/relay/upstream-pool.ts'
import { type Upstream, upstreamOver } from '../transport/relay/upstream.ts'
import { prefersHtml } from '../wire/accept.ts'
import { formatRefusalHead, type Refusal, renderRefusal } from '../wire/refusal.ts'
import { poolKey, type Pooled } from './connection-pool.ts'
import { describeDestination, Exchange, type Peer } from './exchange.ts'
import type { OpenSlot } from './open-slot.ts'
import type { ProxyContext, UnderWay } from './proxy-context.ts'
import { type Reached, reach } from './reach.ts'
import { denialFor, sayingFor } from './refusal-words.ts'
import { refuse, type Refusing, wordFailure } from './refusing.ts'
import { endOf } from './caller-evidence.ts'
import { type Identified, identifyCaller, tooManyCredentials } from './identify-caller.ts'
import type { ForwardReader, ForwardReading } from './forward-reader.ts'
import { type Admitted, type Asked, decide } from './verdict.ts'

type HeadReading = Extract<ForwardReading, { kind: 'head' }>

const protocol = 'HTTP:TCP'

/** What the log calls what a client did to its own request. */
const faults = {
  'body-malformed': 'client-invalid',
  'body-too-slow': 'body-idle-timeout',
} as const satisfies Record<RequestFault, CloseReason>

/**
 * One request in absolute-form through the relay, from its head to the last byte of its answer:
 *
 *   head ─ decide ─ pooled connection, or reach ─ register ─ Crossing.forward
 */
export class RelayedForward implements CrossingOwner, UpstreamSource, UnderWay {
  readonly #context: ProxyContext
  readonly #crossing: Crossing
  readonly #exchange: Exchange
  readonly #reader: ForwardReader
  readonly #slot: OpenSlot
  readonly #onOver: () => void
  #asked: Asked | undefined
  /** Aborted when the client goes away while its destination is sought. */
  #aborted: AbortController | undefined
  #pooled: Pooled<Upstream> | undefined
  #fieldLines = ''
  #path = ''
  /** Of a way to the destination that could not be had, instead of the reason's own sentence. */
  #failureMessage: string | undefined
  #isSent = false
  #isOver = false

  constructor(
    context: ProxyContext,
    arrival: {
      readonly crossing: Crossing
      readonly peer: Peer
      readonly reader: ForwardReader
      readonly slot: OpenSlot
      /** Called once, at its end. */
      readonly onOver: () => void
    },
  ) {
    const { crossing, peer, reader, slot, onOver } = arrival
    this.#slot = slot
    this.#onOver = onOver
    this.#context = context
    this.#crossing = crossing
    this.#reader = reader
    this.#exchange = new Exchange(context.ports, {
      listener: context.listener,
      peer: peer.address,
      peerPort: peer.port,
      operationName: crossing.method,
    })
    crossing.adopt(this)
  }

  serve(): void {
    try {
      this.#serve()
    } catch (error) {
      this.#fault(error, 'a request could not be forwarded')
    }
  }

  end(reason: CloseReason): void {
    if (this.#isOver || this.#crossing.abort(reason) === 'done') return
    const denial = denialFor(reason)
    const said = sayingFor(reason)
    if (denial !== undefined && !this.#exchange.recorded) {
      this.#refuse({ decision: this.#exchange.deny(denial), message: said.message })
      return
    }
    const { rawHeaders } = this.#crossing.block
    this.#say(wordFailure(this.#exchange, { ...said, asked: this.#asked, rawHeaders }))
  }

  onFailure(reason: FailureReason | RequestFault): void {
    const { rawHeaders } = this.#crossing.block
    const said =
      reason === 'body-malformed' || reason === 'body-too-slow'
        ? sayingFor(faults[reason])
        : { reason, message: this.#failureMessage }
    this.#say(wordFailure(this.#exchange, { ...said, asked: this.#asked, rawHeaders }))
  }

  onEnd(closeReason: CloseReason): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#aborted?.abort()
    this.#exchange.bytesIn = this.#crossing.bytesIn
    this.#exchange.bytesOut = this.#crossing.bytesOut
    this.#exchange.close(closeReason, this.#crossing.status)
    this.#onOver()
  }

  giveBack(upstream: Upstream, hintMs: number | undefined): void {
    const { upstreams, ports } = this.#context
    const pooled = this.#pooled
    const keptMs = restingMs(hintMs)
    const isCurrent = pooled?.version === ports.currentInForce()?.version
    if (pooled === undefined || !isCurrent || keptMs <= 0) {
      upstream.destroy()
      return
    }
    upstream.rest(keptMs)
    upstreams.give(pooled)
  }

  /** Decided anew: the policy may have changed meanwhile. */
  again(lost: Upstream): 'later' | 'none' {
    const asked = this.#asked
    if (!lost.isReady || asked === undefined) return 'none'
    const verdict = decide(asked, this.#context.ports.currentInForce())
    process.nextTick(() => {
      if (this.#isOver) return
      if (verdict.kind === 'denied') this.end('policy-revoked')
      else void this.#reach(verdict, asked)
    })
    return 'later'
  }

  #serve(): void {
    const { ports } = this.#context
    const inForce = ports.currentInForce()
    const reading = this.#reader.read(this.#crossing, inForce)
    if (reading.authority !== undefined) this.#asked = this.#exchange.asked(reading.authority)
    if (reading.kind !== 'head') {
      const { kind, authority: _, ...more } = reading
      this.#refuse({ decision: this.#exchange.deny(kind), ...more })
      return
    }
    this.#path = this.#reader.path
    this.#fieldLines = reading.fieldLines
    this.#exchange.removedHeaders = reading.removed
    if (ports.accessLog.blocksNewWork) {
      this.#refuse({ decision: this.#exchange.deny('limit'), detail: unloggable })
      return
    }
    const now = this.#context.ports.now()
    if (reading.admitted !== undefined && endOf(reading.evidence) > now) {
      this.#exchange.evidence = reading.evidence
      this.#carry(reading.admitted, reading)
      return
    }
    const { rawHeaders } = this.#crossing.block
    const identifying = identifyCaller(this.#exchange, { rawHeaders, inForce })
    if (typeof identifying === 'string') this.#decide(reading, { identified: identifying, inForce })
    else void this.#decideLater(reading, { identifying, inForce })
  }

  /** Never rejects. */
  async #decideLater(
    reading: HeadReading,
    given: { readonly identifying: Promise<Identified>; readonly inForce: InForce | undefined },
  ): Promise<void> {
    const identified = await given.identifying
    if (this.#isOver) return
    try {
      this.#decide(reading, { identified, inForce: given.inForce })
    } catch (error) {
      this.#fault(error, 'a request could not be forwarded')
    }
  }

  #decide(
    reading: HeadReading,
    given: { readonly identified: Identified; readonly inForce: InForce | undefined },
  ): void {
    const asked = this.#exchange.asked(reading.authority)
    if (given.identified === 'busy') {
      this.#refuse({ decision: this.#exchange.deny('limit'), detail: tooManyCredentials })
      return
    }
    const inForce = this.#context.ports.currentInForce()
    const verdict = decide(asked, inForce)
    if (verdict.kind === 'denied') {
      this.#refuse(verdict)
      return
    }
    // What was read before a swap is remembered under what was in force then.
    if (inForce === given.inForce) {
      reading.admitted = verdict
      reading.evidence = this.#exchange.evidence
    }
    this.#carry(verdict, reading)
  }

  #carry(verdict: Admitted, { authority }: HeadReading): void {
    const asked = this.#exchange.asked(authority)
    this.#asked = asked
    const pooled = this.#takePooled(verdict, asked)
    if (pooled === undefined) void this.#reach(verdict, asked)
    else this.#sendPooled(pooled, { admitted: verdict, asked })
  }

  #takePooled(admitted: Admitted, asked: Asked): Pooled<Upstream> | undefined {
    if (admitted.route.kind === 'fronted') return undefined
    return this.#context.upstreams.take(poolKey(admitted, asked))
  }

  #sendPooled(
    pooled: Pooled<Upstream>,
    { admitted, asked }: { readonly admitted: Admitted; readonly asked: Asked },
  ): void {
    const { connection, address } = pooled
    const destination = describeDestination(asked, { protocol, admitted, address })
    this.#exchange.record(admitted.decision, { destination })
    if (!this.#register({ admitted, asked, address })) {
      connection.destroy()
      return
    }
    connection.wake()
    this.#pooled = pooled
    this.#send(connection)
  }

  /** Never rejects. */
  async #reach(admitted: Admitted, asked: Asked): Promise<void> {
    const { ports, dialPeer } = this.#context
    const exchange = this.#exchange
    this.#aborted ??= new AbortController()
    const { signal } = this.#aborted
    try {
      const reached = await reach({
        exchange,
        asked,
        admitted,
        ports,
        dialPeer,
        protocol,
        rawHeaders: this.#crossing.block.rawHeaders,
        via: this.#context.via,
        signal,
        readBy: 'relay',
      })
      if (reached.kind === 'reached') this.#goOn(reached, asked)
      else if (reached.kind === 'denied' && exchange.recorded) this.end('policy-revoked')
      else if (reached.kind === 'denied') this.#refuse(reached)
      else if (reached.kind === 'failed') {
        this.#failureMessage = reached.message
        this.#crossing.fail(reached.reason)
      }
    } catch (error) {
      this.#fault(error, 'a destination could not be reached')
    }
  }

  #goOn(reached: Extract<Reached, { kind: 'reached' }>, asked: Asked): void {
    const { admitted, address, upstream } = reached
    const { stream } = upstream
    if (this.#isOver || !this.#register({ admitted, asked, address })) {
      stream.destroy()
      return
    }
    const connection = upstreamOver(stream)
    const { version } = admitted.inForce
    const key = poolKey(admitted, asked)
    this.#pooled = upstream.kind === 'dialled' ? { connection, key, version, address } : undefined
    this.#send(connection)
  }

  #send(upstream: Upstream): void {
    if (this.#isSent) {
      this.#crossing.sendOver(upstream)
      return
    }
    this.#isSent = true
    this.#crossing.forward({
      upstream,
      source: this,
      fieldLines: this.#fieldLines,
      target: this.#path,
      correlationId: this.#exchange.correlationId,
      answerLines: this.#context.via.line,
    })
  }

  /** False: what is in force now does not allow it any more, and the client has been told. */
  #register(facts: {
    readonly admitted: Admitted
    readonly asked: Asked
    readonly address: Pooled<Upstream>['address']
  }): boolean {
    const { admitted, asked, address } = facts
    const revoke = (): void => this.end('policy-revoked')
    if (this.#exchange.open(asked, { admitted, address, revoke, slot: this.#slot })) return true
    this.end('policy-revoked')
    return false
  }

  #refuse(refusing: Omit<Refusing, 'asked' | 'protocol' | 'html'>): void {
    const html = prefersHtml(this.#crossing.block.rawHeaders)
    const asked = this.#asked
    // A head that does not read one way only says nothing about where the next request begins.
    const isLast = refusing.decision.reason === 'bad-request'
    this.#say(refuse(this.#exchange, { ...refusing, asked, protocol, html }), isLast)
  }

  #say(refusal: Refusal, isLast = false): void {
    const rendered = renderRefusal(refusal)
    const head = formatRefusalHead(rendered) + currentDateLine()
    this.#crossing.refuse({ status: rendered.status, head, body: rendered.body, isLast })
  }

  #fault(error: unknown, what: string): void {
    this.#context.ports.log.error({ err: error }, what)
    this.end('internal-error')
  }
}
