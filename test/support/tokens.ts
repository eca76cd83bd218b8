import { createHmac, generateKeyPairSync, type KeyObject, sign as signWith } from 'node:crypto'
import type { TokenIssuer } from '../../src/settings/settings.ts'
import { parseJwks } from '../../src/wire/jwks.ts'

/** A key of an issuer. */
export interface IssuerKey {
  readonly kid: string
  readonly alg: 'ES256' | 'RS256' | 'EdDSA'
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** As it is published. */
  readonly jwk: Readonly<Record<string, unknown>>
}

export const testIssuer = 'https://issuer.test/tenant/v2.0'

export function createIssuerKey(kid: string, alg: IssuerKey['alg'] = 'ES256'): IssuerKey {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }
  return { kid, alg, privateKey, publicKey, jwk }
}

export function jwksOf(...keys: readonly IssuerKey[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })
}

/** Claims of a managed identity, valid for an hour; `now` is milliseconds since the epoch. */
export function claimsOf(
  resource: string,
  { now = Date.now(), ...more }: Readonly<Record<string, unknown>> & { readonly now?: number } = {},
): Record<string, unknown> {
  const at = Math.floor(now / 1000)
  return {
    iss: testIssuer,
    aud: 'api://orders',
    iat: at,
    nbf: at,
    exp: at + 3600,
    idtyp: 'app',
    xms_mirid: resource,
    ...more,
  }
}

/** Signs whatever it is given, also what no issuer would. */
export function signToken(
  key: IssuerKey,
  claims: unknown,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const protectedHeader = { alg: key.alg, kid: key.kid, typ: 'JWT', ...header }
  const input = `${encode(protectedHeader)}.${encode(claims)}`
  const signature = signWith(key.alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  return `${input}.${signature.toString('base64url')}`
}

/** Signed by a secret, as HS256 has it. */
export function macToken(secret: string, claims: unknown, kid: string): string {
  const input = `${encode({ alg: 'HS256', kid, typ: 'JWT' })}.${encode(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

export function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString(
    'base64url',
  )
}

/** An issuer whose keys are given. */
export function issuerOf(keys: readonly IssuerKey[], more: Partial<TokenIssuer> = {}): TokenIssuer {
  return {
    speaker: 'issuer',
    issuer: testIssuer,
    algorithms: ['ES256', 'RS256', 'EdDSA'],
    clockToleranceMs: 30_000,
    keys: { kind: 'file', keys: parseJwks(jwksOf(...keys)) ?? [] },
    ...more,
  }
}
