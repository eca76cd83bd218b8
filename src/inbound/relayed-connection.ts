import { correlationIdOf } from './correlation.ts'
import type { TokenFinding } from '../identity/token-finding.ts'
import type { Backend } from '../perimeter/resource.ts'
import type { CloseReason } from '../reasons.ts'
import type { InForce } from '../settings/in-force.ts'
import { type Judged, OpenEntry } from '../transport/connections.ts'
import type { Crossing } from '../transport/relay/crossing.ts'
import type { FieldBlock } from '../transport/relay/head-reader.ts'
import {
  RelayConnection,
  type RelayLimits,
  type RelayOwner,
  type Unreadable,
} from '../transport/relay/relay-connection.ts'
import { KiB, seconds } from '../units.ts'
import { ambiguous } from '../wire/framing.ts'
import { isOriginForm } from '../wire/request-head.ts'
import { type Admission, admit, judgeAgain, type RefuseAs, type Standing } from './admit.ts'
import { backendFieldLines, backendHeadersInput } from './backend-headers.ts'
import type { Connection } from './connection.ts'
import { findTarget, type InboundContext, type Relayed } from './context.ts'
import { denial, judgeRequest, type Judgement, type RequestFacts } from './judge-request.ts'
import { whenProven } from './prove.ts'
import { RelayedRequest } from './relayed-request.ts'
import { answerUnreadable, unreadables } from './serve-unreadable.ts'
import { isPlainUpgrade, serveUpgrade, wantsWebSocket } from './serve-upgrade.ts'

/** What was found out about the fields of a request, which holds for the next one with the same fields. */
interface Known {
  readonly block: FieldBlock
  readonly inForce: InForce
  /** An allow. */
  readonly judgement: Judgement
  /** What it was found to be allowed by, among other things. */
  readonly token: TokenFinding | undefined
  /** When asking anew may come to something else; milliseconds since the epoch. */
  readonly until: number
  /** Filled when they are first needed. */
  fieldLines: string | undefined
}

/** Before anything is in force; nothing is forwarded then. */
const fallback: RelayLimits = {
  limits: { headerBytes: 16 * KiB },
  timeouts: { headerMs: seconds(10), keepAliveMs: seconds(10), bodyIdleMs: seconds(30) },
}

const tooManyConnections: RefuseAs = { reason: 'limit', detail: 'too many connections' }
const unknownExpectation: RefuseAs = { reason: 'bad-request', detail: 'unknown expectation' }
const oddUpgrade: RefuseAs = { reason: 'bad-request', detail: 'upgrade that is none' }

/**
 * A connection that the relay serves: each of its requests is decided, recorded, and refused or forwarded. It stands for
 * all of them among what is open, one after the other.
 */
export class RelayedConnection implements RelayOwner, Relayed {
  readonly answersNoise = false
  readonly #context: InboundContext
  readonly #connection: Connection
  readonly #relay: RelayConnection
  readonly #standing: Judged & { readonly entry: OpenEntry; judgement: Judgement | undefined }
  #request: RelayedRequest | undefined
  /** `ResourceId.key` of what the request was admitted to. */
  #resource = ''
  #known: Known | undefined

  constructor(context: InboundContext, connection: Connection) {
    this.#context = context
    this.#connection = connection
    this.#standing = {
      judgement: undefined,
      entry: new OpenEntry(),
      judge: () => this.#judgeAgain(),
      revoke: () => this.abort('policy-revoked'),
    }
    context.relayed.add(this)
    this.#relay = new RelayConnection(connection.stream, this)
  }

  get isBusy(): boolean {
    return this.#request !== undefined
  }

  abort(reason: CloseReason): void {
    this.#request?.abort(reason)
  }

  drain(): void {
    this.#relay.drain()
  }

  limits(): RelayLimits {
    return this.#context.ports.currentInForce()?.settings ?? fallback
  }

  isDraining(): boolean {
    return this.#context.isDraining
  }

  onClose(): void {
    this.#context.relayed.delete(this)
    this.#context.ports.openConnections.unregister(this.#standing.entry)
    this.#known = undefined
  }

  onUnreadable(why: Unreadable): void {
    answerUnreadable(this.#context, this.#connection, {
      ...unreadables[why],
      send: (answer) => this.#relay.answerLast(answer),
    })
  }

  onRequest(crossing: Crossing): void {
    const facts = this.#factsOf(crossing)
    const refuseAs = this.#refusalOf(facts, crossing.block)
    if (crossing.block.upgrades && isPlainUpgrade(facts)) {
      this.#serveUpgrade(facts, refuseAs)
      return
    }
    const { ports } = this.#context
    const request = new RelayedRequest(ports, {
      facts,
      crossing,
      correlationId: correlationIdOf(this.#connection.delivery, ports.newCorrelationId),
      onOver: this.#onOver,
    })
    this.#request = request
    crossing.adopt(request)
    if (ports.currentInForce()?.settings.identity.tokens === undefined) {
      this.#decide(request, refuseAs)
    } else {
      this.#decideProven(request, refuseAs)
    }
  }

  /** The token has been looked at before, or is now. */
  #decideProven(request: RelayedRequest, refuseAs: RefuseAs | undefined): void {
    const { facts, crossing, correlationId } = request
    const known = this.#knownOf(facts, crossing.block)
    if (known !== undefined) {
      facts.token = known.token
      this.#decide(request, refuseAs)
      return
    }
    whenProven(this.#context.ports, facts, {
      correlationId,
      refuseAs,
      isOver: () => this.#request !== request,
      next: () => this.#decide(request, refuseAs),
    })
  }

  #decide(request: RelayedRequest, refuseAs: RefuseAs | undefined): void {
    const { facts, crossing, correlationId } = request
    const admission = admit(this.#context.ports, facts, {
      correlationId,
      refuseAs,
      revoke: this.#standing.revoke,
      judge: () => this.#judge(facts, crossing.block),
      stand: this.#stand,
    })
    if (admission.kind === 'refused') this.#refuse(request, admission.judgement)
    else this.#forward(request, admission)
  }

  readonly #onOver = (): void => {
    this.#request = undefined
    this.#standing.judgement = undefined
  }

  readonly #stand = (judgement: Judgement, resource: string): Standing => {
    const standing = Object.assign(this.#standing, { judgement })
    standing.entry.version = judgement.decision.policyVersion
    standing.entry.expiresAt = judgement.expiresAt
    this.#resource = resource
    return standing
  }

  #judge(facts: RequestFacts, block: FieldBlock): Judgement {
    const known = this.#knownOf(facts, block)
    if (known !== undefined) return known.judgement
    const { ports, via } = this.#context
    const inForce = ports.currentInForce()
    const judgement = judgeRequest(facts, inForce, { now: ports.now(), via })
    if (judgement.decision.effect !== 'allow' || inForce === undefined) return judgement
    if (block.framing === ambiguous) {
      const detail = 'the framing is ambiguous'
      return denial(facts, { reason: 'bad-request', detail, policyVersion: inForce.version })
    }
    const { token } = facts
    const until = Math.min(judgement.expiresAt, token?.kind === 'nothing' ? token.until : Infinity)
    this.#known = { block, inForce, judgement, token, until, fieldLines: undefined }
    return judgement
  }

  #knownOf({ method, target }: RequestFacts, block: FieldBlock): Known | undefined {
    const known = this.#known
    const { ports } = this.#context
    if (known?.block !== block || known.inForce !== ports.currentInForce()) return undefined
    // INVARIANT: for as long as it is known, a judgement depends on listener, connection, fields and what is in force, and
    // of the request line on nothing but this.
    if (method === 'CONNECT' || !isOriginForm(target)) return undefined
    return known.until > ports.now() ? known : undefined
  }

  #judgeAgain(): boolean {
    const request = this.#request
    // A connection may be open for a day, and must not keep the policy of its first minute alive.
    this.#known = undefined
    if (request === undefined) {
      // Nothing is open: the next request is judged when it comes.
      this.#standing.judgement = undefined
      this.#standing.entry.expiresAt = Number.POSITIVE_INFINITY
      return true
    }
    const again = judgeAgain(this.#context.ports, request.facts, this.#resource)
    // What is revoked ends as what it was allowed as.
    if (again === undefined) return false
    this.#standing.judgement = again
    this.#standing.entry.expiresAt = again.expiresAt
    return true
  }

  #forward(
    request: RelayedRequest,
    { backend, judgement, standing }: Extract<Admission, { kind: 'admitted' }>,
  ): void {
    request.admitted = standing
    try {
      const upstreams = this.#upstreamsOf(backend)
      if (typeof upstreams === 'string') {
        request.onFailure(upstreams)
        return
      }
      // Before a connection is taken, which would have nobody if this failed.
      const fieldLines = this.#fieldLinesFor(request, judgement)
      request.crossing.forward({
        upstream: upstreams.take(),
        source: upstreams,
        fieldLines,
        target: request.facts.target,
        correlationId: request.correlationId,
      })
    } catch (error) {
      this.#context.ports.log.error({ err: error }, 'a request could not be forwarded')
      request.refuse({ reason: 'internal-error' })
    }
  }

  #upstreamsOf(backend: Backend) {
    const target = findTarget(this.#context, backend)
    return typeof target === 'string' ? target : target.upstreams
  }

  #fieldLinesFor({ facts, crossing }: RelayedRequest, judgement: Judgement): string {
    const known = this.#known
    const isKnown = known?.block === crossing.block && known.judgement === judgement
    if (isKnown && known.fieldLines !== undefined) return known.fieldLines
    const lines = backendFieldLines(backendHeadersInput(this.#context, facts, judgement))
    if (isKnown) known.fieldLines = lines
    return lines
  }

  #refuse(request: RelayedRequest, { decision: { reason }, status }: Judgement): void {
    // A head that does not read one way only says nothing about where the next request begins.
    request.refuse({ reason, status, isLast: reason === 'bad-request' || reason === 'limit' })
  }

  #serveUpgrade(facts: RequestFacts, refuseAs: RefuseAs | undefined): void {
    const connection = this.#connection
    const head = this.#relay.handOver()
    connection.hasSpoken = true
    serveUpgrade(this.#context, { connection, facts, head }, refuseAs)
  }

  #factsOf({ method, target, block }: Crossing): RequestFacts {
    const { isSecure, peer, peerPort, proxied, certificate, delivery } = this.#connection
    return {
      listener: this.#context.listenerName,
      method,
      target,
      httpVersion: block.httpVersion,
      rawHeaders: block.rawHeaders,
      isSecure,
      peer,
      peerPort,
      proxied,
      certificate,
      delivery,
      token: undefined,
    }
  }

  /** What is refused whatever it asks for. */
  #refusalOf(facts: RequestFacts, block: FieldBlock): RefuseAs | undefined {
    if (this.#connection.isTooMany) return tooManyConnections
    if (block.expectation === 'unknown') return unknownExpectation
    const isOdd = block.upgrades && wantsWebSocket(facts.rawHeaders) && !isPlainUpgrade(facts)
    return isOdd ? oddUpgrade : undefined
  }
}
