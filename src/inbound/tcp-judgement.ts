import type { Delivery } from '../identity/caller.ts'
import { collectEvidence } from '../identity/evidence.ts'
import { identify } from '../identity/identify.ts'
import { evaluateInbound } from '../policy/evaluate-inbound.ts'
import type { PolicySnapshot, ResourcePolicy } from '../policy/snapshot.ts'
import type { InForce } from '../settings/in-force.ts'
import type { InboundListener } from '../settings/settings.ts'
import type { Authority } from '../wire/authority.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import { decidingSource, judgeCertificate } from './judge-certificate.ts'
import { denial, type Judgement } from './judge-request.ts'
import { arrivalOf, headerFault } from './network.ts'

/** There is no header, so nobody is believed about any: the peer is the caller, unless its certificate says more. */
const nobodyElse = { headersTrustedFrom: [], trustedProxies: [] }

/**
 * Judges a connection whose bytes nobody reads: listener, resource, network, caller, policy. Without anything in force it
 * is denied. Pure; a fault in it throws, and the caller denies. `now` is milliseconds since the epoch.
 */
export function judgeTcp(
  facts: ConnectionFacts,
  inForce: InForce | undefined,
  { now }: { readonly now: number },
): Judgement {
  if (inForce === undefined) {
    return denial(facts, { reason: 'internal-error', detail: 'no policy is in force' })
  }
  const { settings, snapshot } = inForce
  const policyVersion = snapshot.version
  const authority = facts.delivery && authorityOf(facts.delivery)
  const listener = settings.inbound.find(({ name }) => name === facts.listener)
  const resource = listener && findResource(snapshot, listener, facts)
  if (listener === undefined || resource === undefined) {
    return denial(facts, { reason: 'unknown-resource', authority, policyVersion })
  }
  const known = { authority, resource, policyVersion }
  const fault = headerFault(listener, facts)
  if (fault !== undefined)
    return denial(facts, { ...known, reason: 'unknown-caller', detail: fault })
  const { network, detail } = arrivalOf(listener, resource, facts)
  if (network === 'not-approved') {
    return denial(facts, { ...known, reason: 'private-endpoint-not-approved', detail })
  }
  const { headers, speakers } = settings.identity
  const { forwardedHeader } = listener
  const certificate = judgeCertificate(facts, listener, { inForce, now })
  if (certificate.kind === 'refused') {
    return denial(facts, { ...known, reason: 'unknown-caller', detail: certificate.note })
  }
  const offered = { rawHeaders: [], certificate: certificate.proof }
  const evidence = collectEvidence({ ...facts, ...offered, headers, forwardedHeader })
  const rules = { headers, forwardedHeader, speakers, ...nobodyElse }
  const identification = identify(evidence, rules, { snapshot, audience: undefined, now })
  if (identification.kind !== 'caller') {
    return denial(facts, { ...known, reason: 'unknown-caller' })
  }
  const { caller, port: callerPort, expiresAt, note } = identification
  return {
    decision: evaluateInbound(snapshot, {
      resource,
      network,
      source: decidingSource(facts, caller),
    }),
    authority,
    caller,
    callerPort,
    removedHeaders: [],
    detail: detail ?? certificate.note ?? note,
    status: undefined,
    expiresAt,
  }
}

/** What the member asked its egress for. */
function authorityOf({ name, port }: Delivery): Authority {
  return { host: { kind: 'name', name }, port }
}

/** The listener's resource, as long as its back end takes any bytes. A delivery must have been decided for a name of it. */
function findResource(
  snapshot: PolicySnapshot,
  { protocol, resource }: InboundListener,
  { delivery }: ConnectionFacts,
): ResourcePolicy | undefined {
  if (protocol !== 'tcp' || resource === undefined) return undefined
  const found = snapshot.resources.get(resource.key)
  if (found?.resource?.backend?.scheme !== 'tcp') return undefined
  if (delivery === undefined) return found
  return snapshot.resourcesByHost.get(delivery.name) === found ? found : undefined
}
