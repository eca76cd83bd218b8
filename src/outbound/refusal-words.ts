import { formatNameRule } from '../policy/advise.ts'
import type { Decision } from '../policy/decision.ts'
import type { CloseReason } from '../reasons.ts'
import { type Authority, formatAuthority, parseAuthority } from '../wire/authority.ts'
import type { Refusal, RefusalHint, RefusalReason } from '../wire/refusal.ts'

/** What our own workload is told about a refusal: enough to write the rule that lifts it. */

export interface RefusalFacts {
  readonly reason: RefusalReason
  readonly correlationId: string
  readonly destination?: Authority | undefined
  /** Only where a policy decided. */
  readonly decision?: Decision
  readonly html?: boolean
  /** Instead of the reason's own sentence. */
  readonly message?: string | undefined
  readonly status?: number
  /** Ports that FQDN rules cover. */
  readonly egressPorts?: ReadonlySet<number> | undefined
}

/** A refusal of the forward proxy. */
export function describeRefusal(facts: RefusalFacts): Refusal {
  const { reason, correlationId, destination, decision, status } = facts
  const message = facts.message ?? messageFor(facts)
  return {
    reason,
    correlationId,
    html: facts.html ?? false,
    ...(message === undefined ? {} : { message }),
    ...(status === undefined ? {} : { status }),
    ...(destination === undefined ? {} : { hint: hintFor(destination, decision) }),
  }
}

function hintFor(destination: Authority, decision: Decision | undefined): RefusalHint {
  const profile = decision?.resource?.association?.profile.name
  const rule = decision === undefined ? undefined : ruleFor(destination, decision)
  return {
    destination: formatAuthority(destination),
    ...(profile === undefined ? {} : { profile }),
    ...(rule === undefined ? {} : { rule }),
  }
}

/** Only where a rule is what is missing: no rule matches a literal, and none opens a port or the guard. */
function ruleFor({ host }: Authority, { reason, resource }: Decision): string | undefined {
  if (reason !== 'no-matching-rule' || resource?.association === undefined) return undefined
  if (host.kind !== 'name') return undefined
  return formatNameRule(host.name)
}

function messageFor({ reason, destination, egressPorts }: RefusalFacts): string | undefined {
  if (reason === 'no-matching-rule') {
    if (destination?.host.kind === 'address') {
      return 'no access rule can name an address; ask for the destination by its name'
    }
    const noRule = 'no outbound access rule of the profile names this destination'
    // A rule alone would not help.
    return destination === undefined || egressPorts?.has(destination.port) !== false
      ? noRule
      : `${noRule}, and its port is not one of egress.ports`
  }
  if (reason === 'locked-down') {
    return 'no perimeter associates the resource that asks, and it may not go out without one'
  }
  if (reason === 'unknown-caller') {
    return 'this listener speaks for no resource to this client'
  }
  return undefined
}

/** What somebody is told who takes the proxy for a web server, or asks it for what only a tunnel can carry. */
export function sentenceForTarget(target: string): string | undefined {
  if (target.startsWith('/') || target === '*') {
    return 'this is a forward proxy, not a web server; set it as HTTP_PROXY and HTTPS_PROXY, or as the proxy of your client'
  }
  if (/^https:/i.test(target)) {
    return 'a forward proxy carries https through CONNECT only; set it as the https proxy of your client'
  }
  if (/^[a-z][a-z0-9+.-]*:/i.test(target) && !/^http:/i.test(target)) {
    return 'this forward proxy carries http, and anything else through CONNECT'
  }
  return undefined
}

/** What somebody is told who leaves the port to us: no port is so usual that a tunnel may be taken to mean it. */
export function sentenceForConnect(target: string): string | undefined {
  const isPortMissing =
    parseAuthority(target) === undefined && parseAuthority(target, 1) !== undefined
  return isPortMissing ? 'CONNECT names host and port, as in CONNECT host:443' : undefined
}

/** What a refusal says of itself. */
export type Said = Pick<RefusalFacts, 'reason' | 'status' | 'message'>

/** What a client is told about an end before it has been told anything else. */
export function sayingFor(closeReason: CloseReason): Said {
  return sayings.get(closeReason) ?? { reason: 'internal-error' }
}

const sayings: ReadonlyMap<CloseReason, Said> = new Map<CloseReason, Said>([
  ['policy-revoked', { reason: 'policy-revoked' }],
  ['backend-timeout', { reason: 'backend-timeout' }],
  [
    'body-idle-timeout',
    { reason: 'bad-request', status: 408, message: 'the content of the request stopped coming' },
  ],
  [
    'client-invalid',
    { reason: 'bad-request', message: 'the content of the request is not valid HTTP' },
  ],
  ['drain-timeout', { reason: 'limit', message: 'this proxy is being shut down' }],
])

/** The denial of a request that ended before it was decided; undefined where nobody waits for one. */
export function denialFor(closeReason: CloseReason): 'internal-error' | 'bad-request' | undefined {
  if (closeReason === 'internal-error') return closeReason
  return closeReason === 'client-invalid' ? 'bad-request' : undefined
}
