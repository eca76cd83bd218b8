import { createTokenVerifier } from '../../src/identity/token-verifier.ts'
import { resourceId } from '../support/settings-parts.ts'
import {
  claimsOf,
  createIssuerKey,
  encode,
  issuerOf,
  macToken,
  signToken,
} from '../support/tokens.ts'
import type { Check } from './compare-requests.ts'
import type { Dice } from './grammar.ts'

/** Keys are new in each process, so that bytes are how to make a token and not the token itself. */
interface Recipe {
  readonly by: (typeof makers)[number]
  /** Where, how many signs go, and what comes instead. */
  readonly edits: readonly (readonly [at: number, take: number, put: string])[]
}

const makers = [
  'issuer',
  'issuer',
  'nobody',
  'secret',
  'stranger',
  'other claims',
  'other header',
] as const

export function makeToken(dice: Dice): string {
  const signs = ['', 'A', '_', '.', '=', '+', ' ', 'eyJ', '\0', '..'] as const
  const edits = Array.from(
    { length: dice.roll(4) },
    () => [dice.roll(1000), dice.roll(3), dice.pick(signs)] as const,
  )
  return JSON.stringify({ by: dice.pick(makers), edits } satisfies Recipe)
}

/** A token is believed if its issuer has signed these very bytes, whatever else is done to it. */
export function startTokenCheck(): Check {
  const key = createIssuerKey('one')
  const stranger = createIssuerKey('one')
  const claims = claimsOf(resourceId('vault').text)
  const others = claimsOf(resourceId('orders').text)
  const good = signToken(key, claims)
  const [head = '', body = '', signature = ''] = good.split('.')
  const published = key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const made: Readonly<Record<Recipe['by'], () => string>> = {
    issuer: () => good,
    nobody: () => `${encode({ alg: 'none', kid: 'one', typ: 'JWT' })}.${body}.`,
    secret: () => macToken(published, claims, 'one'),
    stranger: () => signToken(stranger, claims),
    'other claims': () => `${head}.${encode(others)}.${signature}`,
    'other header': () =>
      `${encode({ alg: 'ES256', typ: 'JWT', jwk: stranger.jwk })}.${body}.${signature}`,
  }
  const verifier = createTokenVerifier({
    issuers: [issuerOf([key])],
    keySourceFor: (keys) => ({
      current: () => (keys.kind === 'file' ? keys.keys : Promise.resolve(undefined)),
      renew: async () => undefined,
    }),
    now: Date.now,
  })
  return async (bytes, trial) => {
    const { by, edits } = JSON.parse(bytes) as Recipe
    let token = made[by]()
    for (const [where, take, put] of edits) {
      const at = where % (token.length + 1)
      token = token.slice(0, at) + put + token.slice(at + take)
    }
    const finding = await verifier.verify(token)
    if (finding.kind !== 'proof')
      return token === good ? 'a genuine token is not believed' : undefined
    trial.isWhole = true
    return isSame(token, good) ? undefined : `believed: ${token}, signed: ${good}`
  }
}

/** The last sign of base64url may hold bits that mean nothing. */
function isSame(token: string, good: string): boolean {
  const decoded = (text: string): string[] =>
    text.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'))
  return decoded(token).join() === decoded(good).join()
}
