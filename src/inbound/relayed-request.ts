import type { CloseReason, FailureReason } from '../reasons.ts'
import { currentDateLine } from '../transport/relay/answer-head.ts'
import type { Crossing, CrossingOwner, RequestFault } from '../transport/relay/crossing.ts'
import { prefersHtml } from '../wire/accept.ts'
import { formatRefusalHead, type RefusalReason, renderRefusal } from '../wire/refusal.ts'
import type { Standing } from './admit.ts'
import { type Counted, tellMeter, writeEnd } from './exchange.ts'
import type { RequestFacts } from './judge-request.ts'
import type { InboundPorts } from './ports.ts'

/** What a client did wrong once it was let through, as a refusal. */
const faults = {
  'body-malformed': { reason: 'bad-request', status: 400 },
  'body-too-slow': { reason: 'bad-request', status: 408 },
} as const satisfies Record<RequestFault, { reason: RefusalReason; status: number }>

/** One request through the relay, from its decision to its end. */
export class RelayedRequest implements CrossingOwner, Counted {
  readonly kind = 'request'
  readonly facts: RequestFacts
  readonly correlationId: string
  readonly crossing: Crossing
  /** Once admitted. */
  admitted: Standing | undefined
  readonly #ports: InboundPorts
  readonly #startedAt: number
  readonly #onOver: () => void

  constructor(
    ports: InboundPorts,
    given: {
      readonly facts: RequestFacts
      readonly correlationId: string
      readonly crossing: Crossing
      /** Called once, at its end. */
      readonly onOver: () => void
    },
  ) {
    this.#ports = ports
    this.#startedAt = ports.monotonicNow()
    this.facts = given.facts
    this.correlationId = given.correlationId
    this.crossing = given.crossing
    this.#onOver = given.onOver
    ports.meter.opened('request', 'Inbound')
  }

  get bytesIn(): number {
    return this.crossing.bytesIn
  }

  get bytesOut(): number {
    return this.crossing.bytesOut
  }

  get status(): number | undefined {
    return this.crossing.status
  }

  /** Ends it because the perimeter or the process wants it to. */
  abort(reason: CloseReason): void {
    if (this.crossing.abort(reason) === 'done') return
    this.refuse({ reason: reason === 'policy-revoked' ? reason : 'limit' })
  }

  onFailure(reason: FailureReason | RequestFault): void {
    if (reason === 'body-malformed' || reason === 'body-too-slow') this.refuse(faults[reason])
    else this.refuse({ reason })
  }

  onEnd(closeReason: CloseReason): void {
    const durationMs = this.#ports.monotonicNow() - this.#startedAt
    const { bytesIn, bytesOut } = this
    tellMeter(this.#ports, this, durationMs)
    writeEnd(this.#ports, this, { bytesIn, bytesOut, durationMs, closeReason })
    this.#onOver()
  }

  /** Answers with a refusal. An inbound refusal never says what policy there is. */
  refuse(refusal: {
    readonly reason: RefusalReason
    /** Where it is finer than the reason's own. */
    readonly status?: number | undefined
    /** Where the next request begins is not known. */
    readonly isLast?: boolean
  }): void {
    const { reason, status, isLast = false } = refusal
    const rendered = renderRefusal({
      reason,
      correlationId: this.correlationId,
      html: prefersHtml(this.facts.rawHeaders),
      ...(status === undefined ? {} : { status }),
    })
    const head = formatRefusalHead(rendered) + currentDateLine()
    this.crossing.refuse({ status: rendered.status, head, body: rendered.body, isLast })
  }
}
