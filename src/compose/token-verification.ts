import type { OperationalLog } from '../audit/operational-log.ts'
import { createKeySource, type FetchJwks, type KeySource } from '../identity/key-source.ts'
import type { TokenFinding } from '../identity/token-finding.ts'
import type { IssuerKeys } from '../identity/token-issuer.ts'
import { createTokenVerifier, type TokenVerifier } from '../identity/token-verifier.ts'
import type { CurrentInForce } from '../settings/in-force.ts'
import type { TokenSettings } from '../settings/settings.ts'

export interface TokenVerificationPorts {
  readonly currentInForce: CurrentInForce
  readonly fetchJwks: FetchJwks
  readonly log: Pick<OperationalLog, 'warn'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds from an arbitrary start, never going back. */
  readonly monotonicNow: () => number
}

/**
 * Verifies tokens by what is in force. Other issuers begin with nothing verified; keys that were fetched stay, for an
 * issuer that is down must not lose them to a reload.
 */
export function createTokenVerification(
  ports: TokenVerificationPorts,
): (token: string) => TokenFinding | Promise<TokenFinding> {
  const { currentInForce, fetchJwks, log, now, monotonicNow } = ports
  let sources = new Map<string, KeySource>()
  let lastSeen: TokenSettings | undefined
  let known: { readonly key: string; readonly verifier: TokenVerifier } | undefined

  function sourceFor(keys: IssuerKeys): KeySource {
    return createKeySource(keys, {
      fetchJwks,
      now: monotonicNow,
      onProblem(url, error) {
        const why = error instanceof Error ? error.message : 'unknown'
        log.warn({ url, why }, 'the keys of an issuer cannot be fetched')
      },
    })
  }

  function follow(tokens: TokenSettings): TokenVerifier {
    const key = JSON.stringify(tokens.issuers)
    lastSeen = tokens
    if (known?.key === key) return known.verifier
    const before = sources
    sources = new Map()
    const verifier = createTokenVerifier({
      issuers: tokens.issuers,
      keySourceFor(keys) {
        const id = JSON.stringify(keys)
        const source = sources.get(id) ?? before.get(id) ?? sourceFor(keys)
        sources.set(id, source)
        return source
      },
      now,
    })
    known = { key, verifier }
    return verifier
  }

  return (token) => {
    const tokens = currentInForce()?.settings.identity.tokens
    if (tokens === undefined) return nobodyTrusted
    const verifier = tokens === lastSeen && known !== undefined ? known.verifier : follow(tokens)
    return verifier.verify(token)
  }
}

const nobodyTrusted: TokenFinding = {
  kind: 'nothing',
  note: 'token of an issuer that is not trusted',
  until: 0,
}
