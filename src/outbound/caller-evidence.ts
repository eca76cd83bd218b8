/**
 * Who asks, as far as the request itself says it: on a listener that speaks for several members, `Proxy-Authorization`
 * names one. Another way to prove it is another kind here, and one more case in `speakerFor`.
 */
export type CallerEvidence =
  /** Verified. It holds as long as settings have this very hash for this user. */
  | { readonly kind: 'secret'; readonly user: string; readonly secretHash: string }
  /** Credentials that prove nothing: whoever presents such is nobody, wherever it comes from. */
  | { readonly kind: 'rejected'; readonly detail: string }
