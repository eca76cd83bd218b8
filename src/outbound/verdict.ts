import { homesIn } from '../identity/identify.ts'
import { isCovered } from '../identity/identity-rules.ts'
import type { Proof } from '../identity/proof.ts'
import { readProofs } from '../identity/read-proofs.ts'
import type { Decision } from '../policy/decision.ts'
import { denyOutsideStages, type OutsideReason } from '../policy/deny-outside-stages.ts'
import { evaluateOutbound } from '../policy/evaluate-outbound.ts'
import type { EndpointTls } from '../perimeter/resource.ts'
import { judgeOpening, type OpeningDecision } from '../policy/judge-opening.ts'
import type { ResourcePolicy } from '../policy/snapshot.ts'
import type { GuardRefusal } from '../policy/address-guard.ts'
import type { InForce } from '../settings/in-force.ts'
import { isExempt } from '../settings/no-proxy.ts'
import type { OutboundCaller, UpstreamProxy } from '../settings/settings.ts'
import type { IpAddress } from '../wire/address.ts'
import { type Authority, formatAuthority } from '../wire/authority.ts'
import type { ClientHello } from '../wire/client-hello.ts'
import type { Hostname } from '../wire/hostname.ts'
import type { CallerEvidence } from './caller-evidence.ts'

/** The original facts of a request: all that is judged, now and again on every swap of what is in force. */
export interface Asked {
  /** Name of the outbound listener. */
  readonly listener: string
  /** The client's address; undefined on a Unix socket. */
  readonly peer: IpAddress | undefined
  /** Absent: the request says nothing of who asks. */
  readonly evidence?: CallerEvidence | undefined
  readonly destination: Authority
}

/** How an allowed destination is reached. */
export type Route =
  /** This instance fronts it: in-process, never resolved or dialled, whatever stage allowed it. */
  | { readonly kind: 'fronted'; readonly member: ResourcePolicy; readonly name: Hostname }
  /** Another instance fronts it: its endpoint, as written, without the guard. */
  | {
      readonly kind: 'peer'
      readonly member: ResourcePolicy
      readonly endpoint: Authority
      /** Set: the stream proves over TLS whose it is. */
      readonly tls: EndpointTls | undefined
      readonly name: Hostname
    }
  /** Asked of the upstream proxy: neither resolved here nor guarded by address. */
  | { readonly kind: 'proxied'; readonly proxy: UpstreamProxy }
  /** Everything else: resolved, guarded, dialled. */
  | { readonly kind: 'outside' }

export interface Admitted {
  readonly kind: 'admitted'
  readonly decision: Decision
  readonly inForce: InForce
  /** The member that the listener speaks for. */
  readonly resource: ResourcePolicy
  readonly route: Route
}

export interface Denied {
  readonly kind: 'denied'
  readonly decision: Decision
}

export type Verdict = Admitted | Denied

/**
 * Who the listener speaks for when this peer uses it: undefined where it is not in settings (any more), does not serve the
 * peer, or does not know who it is. On a listener with `clients`, a peer without an address is a stranger.
 */
export function speakerFor(
  inForce: InForce,
  asked: Omit<Asked, 'destination'>,
): ResourcePolicy | undefined {
  const listener = inForce.settings.outbound.find(({ name }) => name === asked.listener)
  if (listener === undefined) return undefined
  const { clients } = listener
  if (clients !== undefined && !isCovered(clients, asked.peer)) return undefined
  const resource = listener.resource ?? callerOf(listener.callers, asked, inForce)?.resource
  return resource && inForce.snapshot.resources.get(resource.key)
}

/** Credentials say it alone; where the client comes from counts only without any. */
function callerOf(
  callers: readonly OutboundCaller[],
  { peer, evidence }: Omit<Asked, 'destination'>,
  inForce: InForce,
): OutboundCaller | undefined {
  if (evidence === undefined) return callers.find(({ prefixes }) => isCovered(prefixes, peer))
  if (evidence.kind === 'rejected') return undefined
  if (evidence.kind === 'token') {
    return callers.find((caller) => isProven(caller, evidence.proof, inForce))
  }
  const { user, secretHash } = evidence
  return callers.find(({ basic }) => basic?.user === user && basic.secretHash === secretHash)
}

/** Whether it is this member's token, made for us, of an issuer that may speak for it. The exchange watches its time. */
function isProven(
  { resource, tokenAudience: audience }: OutboundCaller,
  proof: Proof,
  { settings, snapshot }: InForce,
): boolean {
  if (audience === undefined) return false
  const read = readProofs([proof], {
    speakers: settings.identity.speakers,
    audience,
    now: Number.NEGATIVE_INFINITY,
    homeOf: homesIn(snapshot),
  })
  return read.kind === 'proven' && read.statement.resource?.key === resource.key
}

/** Decides a request by what is in force now. Nothing in force denies. Pure. */
export function decide(asked: Asked, inForce: InForce | undefined): Verdict {
  if (inForce === undefined) return denied('internal-error', undefined, '')
  const resource = speakerFor(inForce, asked)
  if (resource === undefined) return denied('unknown-caller', undefined, inForce.version)
  const { destination } = asked
  const decision = evaluateOutbound(inForce.snapshot, { resource, destination })
  if (decision.effect === 'deny') return { kind: 'denied', decision }
  const route = routeTo(destination, inForce)
  return { kind: 'admitted', decision, inForce, resource, route }
}

/** A denial that no stage spoke, about a request to leave. */
export function denied(
  reason: OutsideReason,
  resource: ResourcePolicy | undefined,
  policyVersion: string,
): Denied {
  const decision = denyOutsideStages({ direction: 'Outbound', reason, resource, policyVersion })
  return { kind: 'denied', decision }
}

function routeTo(destination: Authority, inForce: InForce): Route {
  const { host } = destination
  if (host.kind !== 'name') return routeOutside(destination, inForce)
  const member = inForce.snapshot.resourcesByHost.get(host.name)
  if (member?.resource?.backend !== undefined) return { kind: 'fronted', member, name: host.name }
  const endpoint = member?.resource?.endpoint
  if (member === undefined || endpoint === undefined) return routeOutside(destination, inForce)
  const tls = member.resource?.endpointTls
  return { kind: 'peer', member, endpoint, tls, name: host.name }
}

function routeOutside(destination: Authority, { settings }: InForce): Route {
  const proxy = settings.egress.upstreamProxy
  if (proxy === undefined || isExempt(proxy.noProxy, destination)) return { kind: 'outside' }
  return { kind: 'proxied', proxy }
}

/**
 * The guard of what the upstream proxy is asked for: an address is judged, of a name nothing is known but that this one
 * would be the proxy's own machine (RFC 6761 6.3).
 */
export function refuseProxied(
  { host, port }: Authority,
  { guard }: InForce,
): GuardRefusal | undefined {
  if (host.kind === 'address') return guard.refuse({ host, address: host, port })
  if (host.name !== 'localhost' && !host.name.endsWith('.localhost')) return undefined
  return { reason: 'address-not-public', detail: 'loopback name' }
}

/** Equal for routes that lead to the same place by the same means. */
export function routeKey(route: Route): string {
  switch (route.kind) {
    case 'fronted':
      return `fronted ${route.member.id.key}`
    case 'peer':
      return `peer ${route.member.id.key} ${formatAuthority(route.endpoint)} ${JSON.stringify(route.tls)}`
    case 'proxied':
      return `proxied ${route.proxy.scheme} ${formatAuthority(route.proxy.authority)}`
    case 'outside':
      return 'outside'
  }
}

/**
 * What an open exchange was admitted with, besides what it asked for. Keys and not objects: an exchange may live for a
 * day, and must not keep the policy of its first minute alive.
 */
export interface Standing {
  readonly asked: Asked
  /** `ResourceId.key` of the member that the listener spoke for. */
  readonly resource: string
  readonly route: string
  /** The address that was dialled; undefined for a fronted member and behind an upstream proxy. */
  readonly address: IpAddress | undefined
  /** What was said first in a tunnel, once it was. */
  readonly hello: ClientHello | undefined
}

export function standingOf(
  asked: Asked,
  { admitted, address }: { admitted: Admitted; address: IpAddress | undefined },
): Standing {
  const { resource, route } = admitted
  return { asked, resource: resource.id.key, route: routeKey(route), address, hello: undefined }
}

/**
 * Whether an open exchange would be let out again, the same way, by what is in force now: the listener still serves
 * this client and still speaks for this member, the policy still allows the destination, it is still reached by the
 * same route, and the guard still allows the address. Then the decision that now allows it, else undefined. Pure.
 */
export function judgeAgain(standing: Standing, inForce: InForce | undefined): Decision | undefined {
  const { asked, resource, route, address, hello } = standing
  const verdict = decide(asked, inForce)
  if (verdict.kind === 'denied') return undefined
  if (verdict.resource.id.key !== resource || routeKey(verdict.route) !== route) return undefined
  if (verdict.route.kind === 'outside') {
    const { host, port } = asked.destination
    if (address === undefined) return undefined
    if (verdict.inForce.guard.refuse({ host, address, port }) !== undefined) return undefined
  }
  if (verdict.route.kind === 'proxied') {
    if (refuseProxied(asked.destination, verdict.inForce) !== undefined) return undefined
  }
  if (hello !== undefined && judgeHello(hello, asked, verdict)?.effect === 'deny') return undefined
  return verdict.decision
}

/** What is to be said of the first bytes of a tunnel that was let out; undefined for nothing. Pure. */
export function judgeHello(
  hello: ClientHello,
  { destination }: Asked,
  { decision, inForce, route }: Admitted,
): OpeningDecision | undefined {
  // The inbound side of this instance holds every request to the decided name, and nothing leaves.
  if (route.kind === 'fronted') return undefined
  const leniency = inForce.settings.egress.tls
  return judgeOpening(hello, { decision, destination, leniency })
}
