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
  hello: ClientHello,
  facts: {
    readonly decision: Decision
    readonly destination: Authority
    readonly leniency: TlsLeniency
  },
): OpeningDecision | undefined {
  const { decision, destination } = facts
  const { resource, policyVersion } = decision
  if (destination.host.kind !== 'name' || resource?.association === undefined) return undefined
  const found = describe(hello, facts)
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
  hello: ClientHello,
  { destination, leniency }: { readonly destination: Authority; readonly leniency: TlsLeniency },
): Found | undefined {
  const { host, port } = destination
  const decided = host.kind === 'name' ? host.name : undefined
  switch (hello.kind) {
    case 'name':
      return hello.name === decided ? undefined : mismatch
    case 'encrypted':
      // Whoever may hide one name behind any other may go anywhere: no setting lets that pass.
      return hello.outer === decided
        ? { reason: 'tls-encrypted', leniency: leniency.encrypted }
        : { reason: 'tls-encrypted', leniency: 'deny' }
    case 'absent':
      return { reason: 'tls-name-absent', leniency: leniency.absent }
    case 'several':
      return { reason: 'tls-names-several', leniency: leniency.several }
    case 'unreadable':
      return { reason: 'tls-unreadable', leniency: leniency.unreadable }
    case 'not-tls':
      return port === httpsPort ? { reason: 'not-tls', leniency: leniency.notTls } : undefined
  }
}

const mismatch: Found = { reason: 'name-mismatch', leniency: 'deny' }
