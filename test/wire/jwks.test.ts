import t from 'tap'
import { parseJwks } from '../../src/wire/jwks.ts'

const rsa = { kty: 'RSA', kid: 'one', use: 'sig', n: 'AQAB', e: 'AQAB' }
const ec = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', alg: 'ES256', key_ops: ['verify'] }
const okp = { kty: 'OKP', crv: 'Ed25519', x: 'x' }

const cases: readonly {
  readonly note: string
  readonly given: unknown
  readonly want?: readonly object[]
}[] = [
  { note: 'keys of every asymmetric kind', given: [rsa, ec, okp], want: [rsa, ec, okp] },
  {
    note: 'only the public parts, and nothing that says nothing about the key',
    given: [{ ...rsa, d: 'secret', p: 'secret', x5c: ['MII'], x5t: 'a', issuer: 'b' }],
    want: [rsa],
  },
  {
    note: 'a symmetric key is none',
    given: [{ kty: 'oct', k: 'AQAB', kid: 'one' }, okp],
    want: [okp],
  },
  { note: 'nothing but a symmetric key', given: [{ kty: 'oct', k: 'AQAB' }] },
  { note: 'a key for encryption', given: [{ ...rsa, use: 'enc' }] },
  { note: 'an unknown kind', given: [{ ...rsa, kty: 'rsa' }] },
  { note: 'a kind of no text', given: [{ ...rsa, kty: ['RSA'] }] },
  { note: 'a part that is missing', given: [{ kty: 'EC', crv: 'P-256', x: 'x' }] },
  { note: 'a part of no text', given: [{ ...rsa, n: 5 }] },
  { note: 'operations of no list', given: [{ ...rsa, key_ops: 'verify' }] },
  { note: 'operations of no text', given: [{ ...rsa, key_ops: [1] }] },
  {
    note: 'an id of no text is no id',
    given: [{ ...rsa, kid: 1, alg: 2 }],
    want: [{ kty: 'RSA', use: 'sig', n: 'AQAB', e: 'AQAB' }],
  },
  { note: 'members of no use beside one of use', given: [null, 'a', 1, [], {}, rsa], want: [rsa] },
  { note: 'no keys', given: [] },
  { note: 'a list of no list', given: { 0: rsa } },
  { note: 'as many as may be', given: Array(64).fill(okp), want: Array(64).fill(okp) },
  { note: 'too many', given: Array(65).fill(okp) },
]

void t.test('parseJwks takes the public signing keys of a set', async (t) => {
  for (const { note, given, want } of cases) {
    t.strictSame(parseJwks(JSON.stringify({ keys: given })), want, note)
  }
})

void t.test('parseJwks takes nothing of what is no set', async (t) => {
  for (const text of ['', '{', 'null', '5', '[]', '{}', '"keys"', '<html>', '{"keys":']) {
    t.equal(parseJwks(text), undefined, text)
  }
})
