import type { Caller, Delivery } from '../identity/caller.ts'
import { collectEvidence } from '../identity/evidence.ts'
import { identify } from '../identity/identify.ts'
import type { TokenFinding } from '../identity/token-finding.ts'
import type { Decision } from '../policy/decision.ts'
import { denyOutsideStages, type OutsideReason } from '../policy/deny-outside-stages.ts'
import { evaluateInbound } from '../policy/evaluate-inbound.ts'
import type { PolicySnapshot, ResourcePolicy } from '../policy/snapshot.ts'
import type { InForce } from '../settings/in-force.ts'
import type { InboundListener } from '../settings/settings.ts'
import type { Authority } from '../wire/authority.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { readInboundHead } from '../wire/request-head.ts'
import { goesRound, hopsOf, type OwnVia } from '../wire/via.ts'
import { type ConnectionFacts, sourceOf } from './connection-facts.ts'
import { decidingSource, judgeCertificate } from './judge-certificate.ts'
import { arrivalOf, headerFault } from './network.ts'

/** A request as it arrived. Kept as long as what it began is open, so that it can be judged again from the start. */
export interface RequestFacts extends ConnectionFacts {
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  readonly rawHeaders: RawHeaders
  readonly isSecure: boolean
  /** It came by a library that takes out fields that are none, without a word. */
  readonly mayLackFields?: boolean
  /** What its token came to. `prove` sets it, once, before the request is judged; absent: there is none. */
  token?: TokenFinding | undefined
}

/** The judgement of a request or connection: the decision, and what was found out on the way to it. */
export interface Judgement {
  readonly decision: Decision
  /** What the request or the delivery was for; undefined where nothing says it. */
  readonly authority: Authority | undefined
  readonly caller: Caller | undefined
  readonly callerPort: number | undefined
  readonly removedHeaders: readonly string[]
  /** On a denial before the stages a fixed phrase; else the private endpoint it arrived over, or why a proof counts for nothing. */
  readonly detail: string | undefined
  /** Where it is finer than the reason's own. */
  readonly status: number | undefined
  /** Until when the caller is who it is; milliseconds since the epoch, infinite where no proof was needed. */
  readonly expiresAt: number
}

const tooManyFields = 431

/**
 * Judges a request under what is in force: head, resource, network, caller, policy. Without anything in force it is
 * denied. Pure; a fault in it throws, and the caller denies. `now` is milliseconds since the epoch, `via` how the
 * listener names itself.
 */
export function judgeRequest(
  facts: RequestFacts,
  inForce: InForce | undefined,
  { now, via }: { readonly now: number; readonly via: OwnVia },
): Judgement {
  if (inForce === undefined) {
    return denial(facts, { reason: 'internal-error', detail: 'no policy is in force' })
  }
  const { settings, snapshot } = inForce
  const policyVersion = snapshot.version
  const head = readInboundHead({
    ...facts,
    defaultPort: facts.isSecure ? 443 : 80,
    headerCount: Infinity,
  })
  if (head.kind === 'bad-request') {
    return denial(facts, { reason: 'bad-request', detail: head.detail, policyVersion })
  }
  const { authority } = head
  const listener = settings.inbound.find(({ name }) => name === facts.listener)
  const resource = listener && findResource(snapshot, { listener, authority, facts })
  const known = { authority, policyVersion, resource }
  if (facts.rawHeaders.length / 2 > settings.limits.headerCount) {
    const detail = 'too many header lines'
    return denial(facts, { ...known, reason: 'bad-request', detail, status: tooManyFields })
  }
  if (isMisdirected(facts.delivery, authority))
    return denial(facts, { ...known, reason: 'name-mismatch' })
  if (listener === undefined || resource === undefined) {
    return denial(facts, { ...known, reason: 'unknown-resource' })
  }
  if (goesRound(hopsOf(facts.rawHeaders), via)) return denial(facts, { ...known, reason: 'loop' })
  const fault = headerFault(listener, facts)
  if (fault !== undefined)
    return denial(facts, { ...known, reason: 'unknown-caller', detail: fault })
  const { network, detail } = arrivalOf(listener, resource, facts)
  if (network === 'not-approved') {
    return denial(facts, { ...known, reason: 'private-endpoint-not-approved', detail })
  }
  const certificate = judgeCertificate(facts, listener, { inForce, now })
  if (certificate.kind === 'refused') {
    return denial(facts, { ...known, reason: 'unknown-caller', detail: certificate.note })
  }
  const evidence = collectEvidence({
    ...facts,
    certificate: certificate.proof,
    headers: settings.identity.headers,
    forwardedHeader: listener.forwardedHeader,
  })
  const rules = { ...settings.identity, ...listener }
  const audience = resource.resource?.audience
  const identification = identify(evidence, rules, { snapshot, audience, now })
  if (identification.kind === 'bad-request') {
    return denial(facts, { ...known, reason: 'bad-request', detail: identification.detail })
  }
  const { caller, port: callerPort, removedHeaders, expiresAt, note } = identification
  const decision = evaluateInbound(snapshot, {
    resource,
    network,
    source: decidingSource(facts, caller),
  })
  return {
    decision,
    authority,
    caller,
    callerPort,
    removedHeaders,
    detail: detail ?? certificate.note ?? note,
    status: undefined,
    expiresAt,
  }
}

interface DenialParts {
  readonly reason: OutsideReason
  readonly detail?: string | undefined
  readonly status?: number
  readonly authority?: Authority | undefined
  readonly resource?: ResourcePolicy | undefined
  readonly policyVersion?: string
}

/** A denial by which no stage was asked. The caller is whoever the socket says. */
export function denial(facts: ConnectionFacts, parts: DenialParts): Judgement {
  const { reason, resource, policyVersion = '' } = parts
  const { address, port } = sourceOf(facts)
  return {
    decision: denyOutsideStages({ direction: 'Inbound', reason, resource, policyVersion }),
    authority: parts.authority,
    caller: { address, subscriptions: [], perimeters: [], resourceId: undefined },
    callerPort: port,
    removedHeaders: [],
    detail: parts.detail,
    status: parts.status,
    expiresAt: Number.POSITIVE_INFINITY,
  }
}

/** The listener's one resource, else the one that has the host. Only what has a back end here, for HTTP, is here. */
function findResource(
  snapshot: PolicySnapshot,
  asked: { listener: InboundListener; authority: Authority; facts: RequestFacts },
): ResourcePolicy | undefined {
  const { listener, authority, facts } = asked
  const { host } = authority
  const byHost = host.kind === 'name' ? snapshot.resourcesByHost.get(host.name) : undefined
  const found =
    listener.resource === undefined ? byHost : snapshot.resources.get(listener.resource.key)
  // The outbound side decided by name: a listener that serves one resource under any name must not answer for another.
  if (facts.delivery !== undefined && byHost !== found) return undefined
  const backend = found?.resource?.backend
  // What takes any bytes is no place for a request: nothing that was decided about it would be true of them.
  return backend === undefined || backend.scheme === 'tcp' ? undefined : found
}

/** The stream was decided for one name; a request on it for another would be let through undecided (RFC 9110 15.5.20). */
function isMisdirected(delivery: Delivery | undefined, { host }: Authority): boolean {
  if (delivery === undefined) return false
  return host.kind !== 'name' || host.name !== delivery.name
}
