import type { Proof } from '../identity/proof.ts'

/**
 * Who asks, as far as the request itself says it: on a listener that speaks for several members, `Proxy-Authorization`
 * names one. Another way to prove it is another kind here, and one more case in `speakerFor`.
 */
export type CallerEvidence =
  /** Verified. It holds as long as settings have this very hash for this user. */
  | { readonly kind: 'secret'; readonly user: string; readonly secretHash: string }
  /** A token that was verified. It holds until it expires, as long as its issuer may speak for the member. */
  | { readonly kind: 'token'; readonly proof: Proof }
  /** Credentials that prove nothing: whoever presents such is nobody, wherever it comes from. */
  | { readonly kind: 'rejected'; readonly detail: string }

/** What evidence is worth at a time, in milliseconds since the epoch. */
export function evidenceAt(
  evidence: CallerEvidence | undefined,
  now: number,
): CallerEvidence | undefined {
  return endOf(evidence) > now ? evidence : expired
}

/** When it proves nothing any more; infinite where time changes nothing. */
export function endOf(evidence: CallerEvidence | undefined): number {
  return evidence?.kind === 'token' ? evidence.proof.expiresAt : Number.POSITIVE_INFINITY
}

const expired: CallerEvidence = { kind: 'rejected', detail: 'token that has expired' }
