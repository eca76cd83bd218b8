import type { Guid } from '../perimeter/guid.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { PolicySnapshot } from '../policy/snapshot.ts'
import type { Caller, Delivery, Evidence, Identification } from './caller.ts'
import { noClaims, readClaims } from './claims.ts'
import { type IdentityRules, isCovered } from './identity-rules.ts'
import type { Statement } from './proof.ts'
import { readProofs } from './read-proofs.ts'
import { readSourceAddress } from './source-address.ts'

export interface IdentifyFor {
  readonly snapshot: PolicySnapshot
  /** Of the resource that is asked for, where it has one of its own. */
  readonly audience: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * Evidence → caller. Nothing that a client can write by itself ever widens access: what its sender is not believed about
 * counts for nothing and is noted in `removedHeaders`; what a believed sender says ambiguously is refused. A proof that
 * counts stands in place of identity headers.
 */
export function identify(
  evidence: Evidence,
  rules: IdentityRules,
  { snapshot, now, audience }: IdentifyFor,
): Identification {
  const { delivery } = evidence
  if (delivery?.remote !== undefined) {
    return fromAnother({ ...evidence, delivery }, rules, { snapshot, now })
  }
  if (delivery !== undefined) return delivered(evidence, delivery, snapshot)
  const source = readSourceAddress(evidence, rules)
  if (source.kind === 'bad-request') return source
  const identityBelieved = isCovered(rules.headersTrustedFrom, evidence.peer)
  const claims = identityBelieved ? readClaims(evidence.identityHeaders, rules.headers) : noClaims
  if (claims.kind === 'bad-request') return claims
  const { token } = evidence
  if (token?.kind === 'ambiguous') return { kind: 'bad-request', detail: token.detail }
  const { speakers } = rules
  const homeOf = homesIn(snapshot)
  const proven = readProofs(evidence.proofs, { speakers, audience, now, homeOf })
  if (proven.kind === 'bad-request') return proven
  const isProven = proven.kind === 'proven'
  const { identity, perimeterVoid } = judgeMembership(
    isProven ? proven.statement : claims,
    snapshot,
  )
  const removedHeaders: string[] = source.believed ? [] : [...evidence.forwardingHeaders]
  removedHeaders.push(...evidence.misspelledTokens)
  for (const { kind, name } of evidence.identityHeaders) {
    const counts = identityBelieved && !isProven && !(kind === 'perimeter' && perimeterVoid)
    if (!counts) removedHeaders.push(name)
  }
  return {
    kind: 'caller',
    caller: { address: source.address, ...identity },
    port: source.port,
    removedHeaders,
    expiresAt: isProven ? proven.expiresAt : Number.POSITIVE_INFINITY,
    note: token?.kind === 'nothing' ? token.note : isProven ? undefined : proven.note,
  }
}

/** The perimeter of a resource, where the snapshot knows it. */
export function homesIn(snapshot: PolicySnapshot): (resource: ResourceId) => Guid | undefined {
  return ({ key }) => snapshot.resources.get(key)?.association?.perimeter.guid
}

/**
 * The caller is the member that the outbound listener speaks for, as the snapshot knows it now: nobody, if it no longer
 * does. Headers on such a stream are the workload's own writing, and proofs on it could only say what we know better.
 */
function delivered(
  evidence: Evidence,
  { source, peer, peerPort }: Delivery,
  snapshot: PolicySnapshot,
): Identification {
  const resource = snapshot.resources.get(source.key)?.id
  return {
    kind: 'caller',
    caller: { address: peer, ...judgeMembership({ ...noClaims, resource }, snapshot).identity },
    port: peerPort,
    removedHeaders: writtenHeaders(evidence),
    expiresAt: Number.POSITIVE_INFINITY,
    note: undefined,
  }
}

/**
 * The same from another instance, which knows its member as we do not: its certificate says who it is. Without one that
 * counts it is nobody.
 */
function fromAnother(
  evidence: Evidence & { readonly delivery: Delivery },
  { speakers }: IdentityRules,
  { snapshot, now }: { readonly snapshot: PolicySnapshot; readonly now: number },
): Identification {
  const { peer, peerPort } = evidence.delivery
  const homeOf = homesIn(snapshot)
  const proven = readProofs(evidence.proofs, { speakers, audience: undefined, now, homeOf })
  if (proven.kind === 'bad-request') return proven
  const isProven = proven.kind === 'proven'
  const { identity } = judgeMembership(isProven ? proven.statement : noClaims, snapshot)
  return {
    kind: 'caller',
    caller: { address: peer, ...identity },
    port: peerPort,
    removedHeaders: writtenHeaders(evidence),
    expiresAt: isProven ? proven.expiresAt : Number.POSITIVE_INFINITY,
    note: isProven ? undefined : proven.note,
  }
}

function writtenHeaders(evidence: Evidence): readonly string[] {
  const identity = evidence.identityHeaders.map(({ name }) => name)
  return [...evidence.forwardingHeaders, ...identity, ...evidence.misspelledTokens]
}

/**
 * The member rules. A resource that the snapshot associates has the perimeter that the snapshot gives it and no other.
 * A claim to a perimeter whose members we know is void for everyone else, callers without a resource id included. The
 * subscription is that of the resource id, where there is one.
 */
function judgeMembership(
  { resource, subscription: claimedSubscription, perimeters: claimed }: Statement,
  snapshot: PolicySnapshot,
): { readonly identity: Omit<Caller, 'address'>; readonly perimeterVoid: boolean } {
  const member = resource === undefined ? undefined : snapshot.resources.get(resource.key)
  const home = member?.association?.perimeter.guid
  const perimeters =
    home === undefined ? claimed.filter((guid) => !snapshot.perimetersByGuid.has(guid)) : [home]
  const subscription = resource?.subscriptionId ?? claimedSubscription
  return {
    identity: {
      resourceId: member?.id ?? resource,
      subscriptions: subscription === undefined ? [] : [subscription],
      perimeters,
    },
    perimeterVoid: claimed.some((guid) => !perimeters.includes(guid)),
  }
}
