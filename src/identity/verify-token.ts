import type * as Jose from 'jose'
import { loadOnce } from '../load-once.ts'
import { seconds } from '../units.ts'
import type { KeySet, KeySource } from './key-source.ts'
import type { TokenFinding } from './token-finding.ts'
import type { TokenIssuer } from './token-issuer.ts'
import { readTokenStatement } from './token-statement.ts'

/** An issuer with where its keys are. */
export interface KnownIssuer {
  readonly issuer: TokenIssuer
  readonly keys: KeySource
}

/** Takes its time to load, and instances without tokens never need it. */
const loadJose = loadOnce((): Promise<typeof Jose> => import('jose'))

/** So long a token that was refused is not verified again: a signature costs more than the hash of a token. */
const refusedMs = seconds(10)

/** RFC 7519 5.1 and RFC 9068 2.1. Other kinds (of a logout, of proof of possession) say something else. */
const accessTokens: ReadonlySet<unknown> = new Set([
  undefined,
  'jwt',
  'at+jwt',
  'application/jwt',
  'application/at+jwt',
])

const malformed = 'token that is malformed'
const unverifiable = 'token that cannot be verified'
const unknownKey = 'token of a key that its issuer does not have'
const noKeys = 'token of an issuer whose keys are not known'
const expired = 'token that has expired'
const notYetValid = 'token that is not valid yet'

/** What jose finds wrong, by the code of its error. Its messages and causes hold what the token says: they go nowhere. */
const notes: ReadonlyMap<unknown, string> = new Map([
  ['ERR_JWT_EXPIRED', expired],
  ['ERR_JOSE_ALG_NOT_ALLOWED', 'token with an algorithm that its issuer does not use'],
  ['ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'token whose signature is wrong'],
  ['ERR_JWKS_NO_MATCHING_KEY', unknownKey],
  ['ERR_JWKS_MULTIPLE_MATCHING_KEYS', 'token that does not say which key it is of'],
])

/** What may be true a moment later, without anybody having done anything to the token. */
const passing: ReadonlySet<string> = new Set([unverifiable, unknownKey, noKeys, notYetValid])

export interface Verified {
  readonly finding: TokenFinding
  /** Its issuer made it, whatever it says. */
  readonly isGenuine: boolean
}

/**
 * Verifies a token of the compact form: issuer, algorithm, key, signature and times. For whom it was made, and what its
 * issuer may speak for, is judged with each request. `now` is milliseconds since the epoch. Never rejects.
 */
export async function verifyToken(
  token: string,
  issuers: ReadonlyMap<string, KnownIssuer>,
  now: () => number,
): Promise<Verified> {
  try {
    const jose = await loadJose()
    const unverified = readUnverified(jose, token)
    if (unverified === undefined) return refuse(malformed, now())
    const { header, iss } = unverified
    const typ = typeof header.typ === 'string' ? header.typ.toLowerCase() : header.typ
    if (!accessTokens.has(typ)) return refuse('token of another kind', now())
    // What an extension would mean for the signature is known to nobody here (RFC 7515 4.1.11).
    if ('crit' in header) return refuse('token with an extension', now())
    const known = issuers.get(iss)
    if (known === undefined) return refuse('token of an issuer that is not trusted', now())
    const keys = await known.keys.current()
    if (keys === undefined) return refuse(noKeys, now())
    const by = { jose, token, issuer: known.issuer, now }
    const verified = await verifyBy(keys, by)
    if (verified.isGenuine || !isOfUnknownKey(verified.finding)) return verified
    const newer = await known.keys.renew()
    return newer === undefined ? verified : await verifyBy(newer, by)
  } catch {
    // Nobody knows what is in the message.
    return refuse(unverifiable, now())
  }
}

interface Verifying {
  readonly jose: typeof Jose
  readonly token: string
  readonly issuer: TokenIssuer
  readonly now: () => number
}

async function verifyBy(keys: KeySet, { jose, token, issuer, now }: Verifying): Promise<Verified> {
  try {
    const { payload } = await jose.jwtVerify(token, getterOf(jose, keys), {
      issuer: issuer.issuer,
      algorithms: [...issuer.algorithms],
      requiredClaims: ['exp'],
      // For clocks that are ahead of ours.
      clockTolerance: issuer.clockToleranceMs / seconds(1),
      currentDate: new Date(now()),
    })
    const expiresAt = Math.min((payload.exp ?? 0) * seconds(1), Number.MAX_SAFE_INTEGER)
    // Which is no reason to stretch what is over: not even by a second.
    if (expiresAt <= now()) return refuse(expired, now())
    return { finding: findingOf(payload, { speaker: issuer.speaker, expiresAt }), isGenuine: true }
  } catch (error) {
    return refuse(noteOf(error), now())
  }
}

function findingOf(
  payload: Jose.JWTPayload,
  { speaker, expiresAt }: { readonly speaker: string; readonly expiresAt: number },
): TokenFinding {
  const said = readTokenStatement(payload)
  if (said.kind === 'nothing') return { ...said, until: expiresAt }
  const { statement, audiences } = said
  return { kind: 'proof', proof: { speaker, statement, audiences, expiresAt } }
}

function noteOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return unverifiable
  if ('claim' in error && error.claim === 'nbf') return notYetValid
  return notes.get(error.code) ?? malformed
}

function isOfUnknownKey(finding: TokenFinding): boolean {
  return finding.kind === 'nothing' && finding.note === unknownKey
}

function refuse(note: string, now: number): Verified {
  const until = passing.has(note) ? now : now + refusedMs
  return { finding: { kind: 'nothing', note, until }, isGenuine: false }
}

/** What it says of itself before anything is verified; undefined where that cannot be read. */
function readUnverified(
  jose: typeof Jose,
  token: string,
): { readonly header: Jose.ProtectedHeaderParameters; readonly iss: string } | undefined {
  try {
    const header = jose.decodeProtectedHeader(token)
    const { iss } = jose.decodeJwt(token)
    return typeof iss === 'string' ? { header, iss } : undefined
  } catch {
    return undefined
  }
}

/** Imported keys live as long as their set. */
const getters = new WeakMap<KeySet, Jose.JWTVerifyGetKey>()

function getterOf(jose: typeof Jose, keys: KeySet): Jose.JWTVerifyGetKey {
  let getter = getters.get(keys)
  if (getter === undefined) {
    getter = jose.createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) })
    getters.set(keys, getter)
  }
  return getter
}
