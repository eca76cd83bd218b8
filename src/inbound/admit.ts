import type { Backend } from '../perimeter/resource.ts'
import { unloggable } from '../audit/record.ts'
import { type Judged, OpenEntry } from '../transport/connections.ts'
import { inboundRecord } from './access-record.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import { denial, judgeRequest, type Judgement, type RequestFacts } from './judge-request.ts'
import type { InboundPorts } from './ports.ts'
import { judgeTcp } from './tcp-judgement.ts'

/** Of a request, or of a connection that may carry anything. */
type Facts = RequestFacts | ConnectionFacts

export type Admission =
  | {
      readonly kind: 'admitted'
      readonly judgement: Judgement
      readonly backend: Backend
      readonly standing: Standing
    }
  | { readonly kind: 'refused'; readonly judgement: Judgement }

/**
 * What is left of an admission for as long as it is open. An exchange may live for a day, and must not keep the policy
 * of its first minute alive.
 */
export interface Standing extends Judged {
  /** It is registered as open in this; whoever holds it unregisters it at the end. */
  readonly entry: OpenEntry
  /** What allowed it last: replaced whenever a policy that comes into force allows it again. */
  judgement: Judgement
}

/** Why a request is refused before anything is looked at. */
export interface RefuseAs {
  readonly reason: 'limit' | 'bad-request'
  /** A fixed phrase for the log. */
  readonly detail: string
  readonly status?: number
}

export const tooManyConnections: RefuseAs = { reason: 'limit', detail: 'too many connections' }

export interface AdmitOptions {
  readonly correlationId: string
  readonly refuseAs?: RefuseAs | undefined
  /** Asked after an allow: whether the resource (`ResourceId.key`) has too much open already. */
  readonly isFull?: (resource: string) => boolean
  /** Ends what was admitted, because a later policy does not allow it. */
  readonly revoke: () => void
  /** Judges the request; absent: all of it, from the start. A fault in it denies. */
  readonly judge?: () => Judgement
  /** What stands for it among what is open, from its judgement and resource (`ResourceId.key`); absent: one made for it. */
  readonly stand?: (judgement: Judgement, resource: string) => Standing
}

const logIsFull: RefuseAs = { reason: 'limit', detail: unloggable }

/** Policies that were swapped between a decision and its registration, one after the other, before we give up. */
const maxAttempts = 3

/**
 * Decides whether a request or connection may go on and writes its one record. What is admitted is registered as open before this
 * returns: a policy that comes into force at any time from now on judges it again.
 */
export function admit(ports: InboundPorts, facts: Facts, options: AdmitOptions): Admission {
  const admission = decide(ports, facts, options)
  const { correlationId } = options
  const { judgement } = admission
  ports.accessLog.accept(inboundRecord({ facts, judgement, correlationId, time: ports.now() }))
  return admission
}

function decide(ports: InboundPorts, facts: Facts, options: AdmitOptions): Admission {
  const { isFull, revoke, judge = () => judgeNow(ports, facts) } = options
  const refuseAs = options.refuseAs ?? (ports.accessLog.blocksNewWork ? logIsFull : undefined)
  const policyVersion = ports.currentInForce()?.version ?? ''
  if (refuseAs !== undefined) {
    return { kind: 'refused', judgement: denial(facts, { ...refuseAs, policyVersion }) }
  }
  let judgement = judgeSafely(ports, facts, judge)
  for (let attempt = 1; judgement.decision.effect === 'allow'; attempt++) {
    const { resource } = judgement.decision
    const backend = resource?.resource?.backend
    if (resource === undefined || backend === undefined) {
      return {
        kind: 'refused',
        judgement: denial(facts, { reason: 'internal-error', policyVersion }),
      }
    }
    const known = { resource, policyVersion, authority: judgement.authority }
    if (isFull?.(resource.id.key) === true) {
      return { kind: 'refused', judgement: denial(facts, { ...known, reason: 'limit' }) }
    }
    const standing =
      options.stand?.(judgement, resource.id.key) ??
      standingOf(ports, facts, { judgement, resource: resource.id.key, revoke })
    if (ports.openConnections.register(standing.entry, standing))
      return { kind: 'admitted', judgement, backend, standing }
    if (attempt === maxAttempts) {
      return { kind: 'refused', judgement: denial(facts, { ...known, reason: 'policy-revoked' }) }
    }
    judgement = judgeSafely(ports, facts, judge)
  }
  return { kind: 'refused', judgement }
}

/** On its own, for closures hold all that another closure of their function holds. `resource` is a `ResourceId.key`. */
function standingOf(
  ports: InboundPorts,
  facts: Facts,
  { judgement, resource, revoke }: { judgement: Judgement; resource: string; revoke: () => void },
): Standing {
  const entry = new OpenEntry()
  entry.version = judgement.decision.policyVersion
  entry.expiresAt = judgement.expiresAt
  const standing: Standing = {
    judgement,
    entry,
    judge() {
      const again = judgeAgain(ports, facts, resource)
      if (again === undefined) return false
      standing.judgement = again
      entry.expiresAt = again.expiresAt
      return true
    },
    revoke,
  }
  return standing
}

/** Judges what is open under what is in force now; undefined: it is no longer allowed to that resource (`ResourceId.key`). */
export function judgeAgain(
  ports: InboundPorts,
  facts: Facts,
  resource: string,
): Judgement | undefined {
  const again = judgeSafely(ports, facts, () => judgeNow(ports, facts))
  const { effect, resource: reached } = again.decision
  return effect === 'allow' && reached?.id.key === resource ? again : undefined
}

function judgeNow(ports: InboundPorts, facts: Facts): Judgement {
  const inForce = ports.currentInForce()
  const now = ports.now()
  if (!('method' in facts)) return judgeTcp(facts, inForce, { now })
  return judgeRequest(facts, inForce, { now, via: ports.via(facts.listener) })
}

/** Deny is the ground state: a fault is a denial, and an error that somebody must look at. */
function judgeSafely(ports: InboundPorts, facts: Facts, judge: () => Judgement): Judgement {
  try {
    return judge()
  } catch (error) {
    ports.log.error({ err: error, listener: facts.listener }, 'what arrived could not be judged')
    return denial(facts, { reason: 'internal-error' })
  }
}
