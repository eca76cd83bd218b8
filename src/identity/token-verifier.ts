import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { KiB } from '../units.ts'
import type { KeySource } from './key-source.ts'
import type { NoIdentity, TokenFinding } from './token-finding.ts'
import type { IssuerKeys, TokenIssuer } from './token-issuer.ts'
import { type KnownIssuer, verifyToken } from './verify-token.ts'

export interface TokenVerifier {
  /**
   * What a token comes to; a promise only where it has to be verified first, which is bounded by what fetching its
   * issuer's keys may take. Never rejects.
   */
  verify(token: string): TokenFinding | Promise<TokenFinding>
}

export interface TokenVerifierOptions {
  readonly issuers: readonly TokenIssuer[]
  readonly keySourceFor: (keys: IssuerKeys) => KeySource
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Those of Entra have 2 KiB, with many groups 6: what is longer is not looked at. */
const maxTokenLength = 16 * KiB

/** Three parts in base64url (RFC 7515 3.1); all else fails here, before anything is parsed. */
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Of whoever an issuer vouches for: nobody else can fill it. */
const maxVerified = 10_000

/** Anybody can fill it, which is why it is not the same. */
const maxRefused = 1_000

/** Each of them is a signature to compute, or waits for an issuer. */
const maxVerifying = 1_000

const forEver = Number.POSITIVE_INFINITY
const tooLong: NoIdentity = { kind: 'nothing', note: 'token that is too long', until: forEver }
const malformed: NoIdentity = { kind: 'nothing', note: 'token that is malformed', until: forEver }

/** Remembers, by hash, what tokens came to until that changes by itself. Who verifies by other settings makes another. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { issuers, keySourceFor, now } = options
  const known = new Map<string, KnownIssuer>(
    issuers.map((issuer) => [issuer.issuer, { issuer, keys: keySourceFor(issuer.keys) }]),
  )
  const verified = new LRUCache<string, TokenFinding>({ max: maxVerified })
  const refused = new LRUCache<string, TokenFinding>({ max: maxRefused })
  const verifying = new Map<string, Promise<TokenFinding>>()

  function recall(key: string): TokenFinding | undefined {
    const cache = verified.has(key) ? verified : refused
    const finding = cache.get(key)
    if (finding === undefined || endOf(finding) > now()) return finding
    cache.delete(key)
    return undefined
  }

  async function verify(key: string, token: string): Promise<TokenFinding> {
    try {
      const { finding, isGenuine } = await verifyToken(token, known, now)
      if (endOf(finding) > now()) (isGenuine ? verified : refused).set(key, finding)
      return finding
    } finally {
      verifying.delete(key)
    }
  }

  return {
    verify(token) {
      if (token.length > maxTokenLength) return tooLong
      if (!compactForm.test(token)) return malformed
      const key = hash('sha256', token, 'base64url')
      const recalled = recall(key) ?? verifying.get(key)
      if (recalled !== undefined) return recalled
      if (verifying.size >= maxVerifying) {
        return { kind: 'nothing', note: 'token beyond those that are being verified', until: now() }
      }
      const pending = verify(key, token)
      verifying.set(key, pending)
      return pending
    },
  }
}

/** When a finding is not true any more; milliseconds since the epoch. */
function endOf(finding: TokenFinding): number {
  if (finding.kind === 'proof') return finding.proof.expiresAt
  return finding.kind === 'nothing' ? finding.until : forEver
}
