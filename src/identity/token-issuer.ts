import type { PublicJwk } from '../wire/jwks.ts'

/** Asymmetric ones (RFC 7518 3.1, RFC 8037, RFC 9864): whoever can verify a token must not be able to make one. */
type TokenAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'

/** Somebody whose tokens are verified. What it may speak for is in `Speakers`, under its `speaker`. */
export interface TokenIssuer {
  readonly speaker: string
  /** Its tokens' `iss`, sign by sign. */
  readonly issuer: string
  readonly algorithms: readonly TokenAlgorithm[]
  readonly keys: IssuerKeys
  /** How far its clock may be ahead of ours. */
  readonly clockToleranceMs: number
}

export type IssuerKeys = { readonly kind: 'file'; readonly keys: readonly PublicJwk[] } | KeysAtUrl

export interface KeysAtUrl {
  readonly kind: 'url'
  readonly url: string
  /** After so long they are fetched anew. */
  readonly refreshMs: number
  /** Where they cannot be: so much longer the old ones count. */
  readonly outageMs: number
  /** Between two fetches, whatever the reason. */
  readonly intervalMs: number
}
