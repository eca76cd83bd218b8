import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { createTokenVerifier } from '../../src/identity/token-verifier.ts'
import { parseResourceId } from '../../src/perimeter/resource-id.ts'
import { resourceId } from '../support/settings-parts.ts'
import { encode, issuerOf, testIssuer } from '../support/tokens.ts'
import type { Check } from './compare-requests.ts'
import type { Dice } from './grammar.ts'

/**
 * Whoever a token is taken for, its issuer has signed so, byte by byte, by its one key and its one algorithm, and it is in
 * time. Nothing that is no such token does more than be refused.
 */
export function startTokenCheck(): Check {
  return async (text, trial) => {
    // Each time another: what was seen before must not answer for what comes now.
    const verifier = createTokenVerifier({
      issuers: [issuer],
      keySourceFor: ({ kind, ...rest }) => {
        const keys = kind === 'file' && 'keys' in rest ? rest.keys : []
        return { current: () => keys, renew: () => Promise.resolve(undefined) }
      },
      now: () => now,
    })
    const finding = await verifier.verify(text)
    if (finding.kind !== 'proof') return undefined
    const fault = faultOf(text)
    trial.isWhole = fault === undefined
    return fault === undefined ? undefined : `taken for a proof, but ${fault}`
  }
}

const now = Date.UTC(2026, 10, 24)
const seconds = now / 1000
const keyPair = keyOf(7)
const stranger = keyOf(8)
const kid = 'one'
const issuer = issuerOf(
  [{ kid, alg: 'EdDSA', ...keyPair, jwk: { ...keyPair.publicKey.export({ format: 'jwk' }), kid } }],
  { algorithms: ['EdDSA'] },
)
const publicBytes = keyPair.publicKey.export({ format: 'der', type: 'spki' })

/** The same in every process, so that what was found can be tried again. */
function keyOf(byte: number): { privateKey: KeyObject; publicKey: KeyObject } {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
  const key = Buffer.concat([prefix, Buffer.alloc(32, byte)])
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

/** Why a token is none of the issuer's, by another reading of it. */
function faultOf(text: string): string | undefined {
  const [head = '', body = '', signature = '', ...more] = text.split('.')
  if (more.length > 0) return 'it has more than three parts'
  const signed = Buffer.from(`${head}.${body}`)
  if (!verify(null, signed, keyPair.publicKey, Buffer.from(signature, 'base64url')))
    return 'its signature is wrong'
  const header = Object(JSON.parse(Buffer.from(head, 'base64url').toString())) as Claims
  const claims = Object(JSON.parse(Buffer.from(body, 'base64url').toString())) as Claims
  if (header['alg'] !== 'EdDSA') return 'its algorithm is another'
  if ('crit' in header) return 'it has an extension'
  if (claims['iss'] !== testIssuer) return 'its issuer is another'
  if (!(Number(claims['exp']) > seconds)) return 'it is over'
  if (claims['nbf'] !== undefined && !(Number(claims['nbf']) <= seconds + 30)) return 'it is early'
  if (claims['idtyp'] !== undefined && claims['idtyp'] !== 'app') return 'it is a user'
  if (parseResourceId(String(claims['xms_mirid'])) === undefined) return 'it names no resource'
  return undefined
}

type Claims = Readonly<Record<string, unknown>>
type Odd = Readonly<Record<string, readonly unknown[]>>

/** Tokens that are right but for a place or two: in what they say, in how they are signed, in their bytes. */
export function makeToken(dice: Dice): string {
  const header = bent(dice, { alg: 'EdDSA', kid, typ: 'JWT' }, oddHeaders)
  const claims = bent(
    dice,
    {
      iss: testIssuer,
      aud: 'api://orders',
      exp: seconds + 60,
      nbf: seconds,
      xms_mirid: resourceId('orders').text,
    },
    oddClaims,
  )
  const input = `${encode(header)}.${encode(claims)}`
  const text = `${input}.${signatureOf(dice, input)}`
  return bend(dice, text)
}

const oddHeaders: Odd = {
  alg: ['none', 'None', 'HS256', 'ES256', 'RS256', 'eddsa', 'Ed25519', '', null, ['EdDSA'], 1],
  kid: ['two', '', null, 1, ['one'], '__proto__'],
  typ: ['at+jwt', 'logout+jwt', 'JWE', null, 1, 'application/JWT'],
  crit: [[], ['exp'], ['b64'], ['alg'], null, 'exp'],
  b64: [false, true],
  jwk: [stranger.publicKey.export({ format: 'jwk' })],
  jku: ['https://evil.test/'],
  x5u: ['https://evil.test/'],
  zip: ['DEF'],
  enc: ['A128GCM'],
}

const oddClaims: Odd = {
  iss: ['https://evil.test/', '', null, [testIssuer], `${testIssuer}/`, 1],
  exp: [seconds, seconds - 1, seconds - 29, 0, -1, null, '99999999999', 1e308, 1.5],
  nbf: [seconds + 30, seconds + 31, null, '0', -1e308],
  aud: [[], null, ['a'], {}],
  idtyp: ['app', 'user', null, ['app'], ''],
  xms_mirid: ['', '/', null, ['/'], '/subscriptions/x', `${resourceId('orders').text}/`],
  xms_az_nwperimid: [[], null, 'x', {}, ['11111111-1111-1111-1111-111111111111']],
  toString: [1],
}

function bent(dice: Dice, right: Claims, odd: Odd): Claims {
  const made: Record<string, unknown> = { ...right }
  const entries = Object.entries(odd)
  for (let bends = dice.pick([0, 0, 1, 1, 2, 3]); bends > 0; bends--) {
    const [name, values] = anyOf(dice, entries)
    if (dice.isRare(4)) delete made[name]
    else made[name] = anyOf(dice, values)
  }
  return made
}

function anyOf<T>(dice: Dice, from: readonly T[]): T {
  const one = from[dice.roll(from.length)]
  if (one === undefined) throw new Error('nothing to choose from')
  return one
}

function signatureOf(dice: Dice, input: string): string {
  const bytes = Buffer.from(input)
  const right = sign(null, bytes, keyPair.privateKey)
  return dice
    .pick([
      right,
      right,
      right,
      sign(null, bytes, stranger.privateKey),
      createHmac('sha256', publicBytes).update(bytes).digest(),
      Buffer.alloc(64),
      Buffer.alloc(1),
    ])
    .toString('base64url')
}

function bend(dice: Dice, text: string): string {
  if (!dice.isRare(3)) return text
  const at = dice.roll(text.length + 1)
  const odd = dice.pick(['.', '=', 'A', '_', '-', '+', '/', ' ', '\0', '\r\n', '..', 'ÿ', ','])
  const kept = dice.isRare(2) ? 1 : 0
  return dice.isRare(8) ? text.slice(0, at) : text.slice(0, at) + odd + text.slice(at + kept)
}
