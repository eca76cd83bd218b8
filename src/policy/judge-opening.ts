import type { ContentReason } from '../reasons.ts'
import type { Authority } from '../wire/authority.ts'
import type { ClientHello } from '../wire/client-hello.ts'
import type { Decision, Effect } from './decision.ts'
import { denyOutsideStages } from './deny-outside-stages.ts'
import { isClosed } from './evaluate-outbound.ts'

/**
 * What the first bytes inside a tunnel make of the decision that opened it: whoever was let out to one name must not go
 * on to another (domain fronting). NSP knows names only, and nothing of TLS: Ringfence's choice.
 */

export type Leniency = 'allow' | 'deny' | 'log'

/** What a client says first in a tunnel, as far as it matters. */
export type FirstBytes = ClientHello | { readonly kind: 'not-http' }

/** Of tunnels, where Enforced decided them. */
export interface ContentLeniency {
  readonly tls: TlsLeniency
  readonly http: HttpLeniency
}

export interface HttpLeniency {
  /** On the port of HTTP: neither HTTP nor TLS. */
  readonly notHttp: Leniency
}

/** What becomes of TLS that does not plainly ask for the decided name, where it was decided by Enforced. */
export interface TlsLeniency {
  readonly absent: Leniency
  readonly several: Leniency
  readonly unreadable: Leniency
  /** Its readable name being the decided one. */
  readonly encrypted: Leniency
  /** On the port of HTTPS alone: elsewhere nothing says that TLS is spoken. */
  readonly notTls: Leniency
}

export type OpeningDecision = Decision & { readonly reason: ContentReason }

const httpsPort = 443

/**
 * Judges them: undefined where there is nothing to say, else a decision of its own. `decision` is the one that let the
 * tunnel out, to `destination`. An address is nobody's name: nothing that is asked for at one differs from it.
 *
 * Enforced does as the settings say. Learning and Audit let everything pass and log what Enforced would not have. What
 * no perimeter associates is not held to it. Pure.
 */
export function judgeOpening(
  first: FirstBytes,
  facts: {
    readonly decision: Decision
    readonly destination: Authority
    readonly leniency: ContentLeniency
  },
): OpeningDecision | undefined {
  const { decision, destination } = facts
  const { resource, policyVersion } = decision
  if (destination.host.kind !== 'name' || resource?.association === undefined) return undefined
  const found = describe(first, facts)
  if (found === undefined || found.leniency === 'allow') return undefined
  const { reason } = found
  const enforcedEffect: Effect = found.leniency === 'deny' ? 'deny' : 'allow'
  if (enforcedEffect === 'deny' && isClosed({ resource })) {
    const denial = denyOutsideStages({ direction: 'Outbound', reason, resource, policyVersion })
    return { ...denial, reason }
  }
  return { ...decision, reason, enforcedEffect }
}

interface Found {
  readonly reason: ContentReason
  readonly leniency: Leniency
}

function describe(
  first: FirstBytes,
  {
    destination,
    leniency: { tls, http },
  }: {
    readonly destination: Authority
    readonly leniency: ContentLeniency
  },
): Found | undefined {
  const { host, port } = destination
  const decided = host.kind === 'name' ? host.name : undefined
  const reason = reasonOf(first)
  switch (first.kind) {
    case 'name':
      return first.name === decided ? undefined : { reason, leniency: 'deny' }
    case 'encrypted':
      // Whoever may hide one name behind any other may go anywhere: no setting lets that pass.
      return { reason, leniency: first.outer === decided ? tls.encrypted : 'deny' }
    case 'absent':
      return { reason, leniency: tls.absent }
    case 'several':
      return { reason, leniency: tls.several }
    case 'unreadable':
      return { reason, leniency: tls.unreadable }
    case 'not-tls':
      return port === httpsPort ? { reason, leniency: tls.notTls } : undefined
    case 'not-http':
      return { reason, leniency: http.notHttp }
  }
}

/** What may be wrong with it; for a name, that it is another one. */
export function reasonOf({ kind }: FirstBytes): ContentReason {
  return reasons[kind]
}

const reasons = {
  name: 'name-mismatch',
  absent: 'tls-name-absent',
  several: 'tls-names-several',
  unreadable: 'tls-unreadable',
  encrypted: 'tls-encrypted',
  'not-tls': 'not-tls',
  'not-http': 'not-http',
} as const satisfies Record<FirstBytes['kind'], ContentReason>
