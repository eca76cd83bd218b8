import t from 'tap'
import type { KeySource } from '../../src/identity/key-source.ts'
import type { TokenFinding } from '../../src/identity/token-finding.ts'
import { createTokenVerifier } from '../../src/identity/token-verifier.ts'
import { guidFor, resourceId, testSubscription } from '../support/settings-parts.ts'
import {
  claimsOf,
  createIssuerKey,
  encode,
  type IssuerKey,
  issuerOf,
  macToken,
  signToken,
  testIssuer,
} from '../support/tokens.ts'

const key = createIssuerKey('one')
const next = createIssuerKey('two')
const rsa = createIssuerKey('rsa', 'RS256')
const otherRsa = createIssuerKey('other-rsa', 'RS256')
const ed = createIssuerKey('ed', 'EdDSA')
const stranger = createIssuerKey('one')
const orders = resourceId('orders').text
const start = Date.UTC(2026, 10, 24)
const claims = claimsOf(orders, { now: start, xms_az_nwperimid: [guidFor('shop')] })
const inAnHour = start + 3_600_000
const good = signToken(key, claims)

const proof = {
  kind: 'proof',
  proof: {
    speaker: 'issuer',
    statement: {
      resource: resourceId('orders'),
      subscription: testSubscription,
      perimeters: [guidFor('shop')],
    },
    audiences: ['api://orders'],
    expiresAt: inAnHour,
  },
}

const signed = (more: object, header: Record<string, unknown> = {}): string =>
  signToken(key, { ...claims, ...more }, header)
const [head = '', body = '', signature = ''] = good.split('.')
const seconds = start / 1000

const malformed = 'token that is malformed'
const wrong = 'token whose signature is wrong'
const untrusted = 'token of an issuer that is not trusted'
const unused = 'token with an algorithm that its issuer does not use'
const unknownKey = 'token of a key that its issuer does not have'
const early = 'token that is not valid yet'
const expired = 'token that has expired'
const otherKind = 'token of another kind'
const extended = 'token with an extension'

const refusals: readonly {
  readonly note: string
  readonly token: string
  readonly want: string
}[] = [
  { note: 'expired a second ago', token: signed({ exp: seconds - 1 }), want: expired },
  { note: 'expires this very second', token: signed({ exp: seconds }), want: expired },
  {
    note: 'expired within the tolerance, which is not for that',
    token: signed({ exp: seconds - 29 }),
    want: expired,
  },
  { note: 'without an end', token: signed({ exp: undefined }), want: malformed },
  { note: 'an end that is no number', token: signed({ exp: '9999999999' }), want: malformed },
  { note: 'not yet valid', token: signed({ nbf: seconds + 31 }), want: early },
  { note: 'a beginning that is no number', token: signed({ nbf: 'now' }), want: early },
  { note: 'another issuer', token: signed({ iss: 'https://evil.test/' }), want: untrusted },
  {
    note: 'an issuer that only begins like ours',
    token: signed({ iss: `${testIssuer}/` }),
    want: untrusted,
  },
  { note: 'no issuer', token: signed({ iss: undefined }), want: malformed },
  { note: 'two issuers', token: signed({ iss: [testIssuer] }), want: malformed },
  {
    note: 'a signature of somebody else with the same key id',
    token: signToken(stranger, claims),
    want: wrong,
  },
  {
    note: 'claims that were changed',
    token: `${head}.${encode({ ...claims, idtyp: 'app2' })}.${signature}`,
    want: wrong,
  },
  {
    note: 'a header that was changed',
    token: `${encode({ alg: 'ES256', kid: 'one' })}.${body}.${signature}`,
    want: wrong,
  },
  { note: 'a signature that is cut', token: good.slice(0, -4), want: wrong },
  {
    note: 'alg: none without a signature',
    token: `${encode({ alg: 'none' })}.${body}.`,
    want: malformed,
  },
  { note: 'alg: none with one', token: `${encode({ alg: 'none' })}.${body}.AA`, want: unused },
  {
    note: 'alg: None in another spelling',
    token: `${encode({ alg: 'nOnE' })}.${body}.AA`,
    want: unused,
  },
  { note: 'no algorithm', token: `${encode({ typ: 'JWT' })}.${body}.AA`, want: malformed },
  {
    note: 'HS256 with the public key as the secret',
    token: macToken(
      rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      claims,
      'rsa',
    ),
    want: unused,
  },
  {
    note: 'HS256 with an empty secret',
    token: macToken('', claims, 'one'),
    want: unused,
  },
  {
    note: 'an algorithm that is not the one of the key',
    token: signed({}, { alg: 'RS256' }),
    want: unknownKey,
  },
  {
    note: 'an algorithm that its issuer does not use',
    token: signed({}, { alg: 'ES384' }),
    want: unused,
  },
  { note: 'an unknown key', token: signed({}, { kid: 'nobody' }), want: unknownKey },
  { note: 'a key id of no text', token: signed({}, { kid: 1 }), want: unknownKey },
  {
    note: 'no key id where one would have to be guessed',
    token: signToken(otherRsa, claims, { kid: undefined }),
    want: 'token that does not say which key it is of',
  },
  {
    note: 'its own key in the header',
    token: signToken(stranger, claims, { jwk: stranger.jwk }),
    want: wrong,
  },
  {
    note: 'where its keys are in the header',
    token: signToken(stranger, claims, { jku: 'https://evil.test' }),
    want: wrong,
  },
  {
    note: 'an extension that must be understood',
    token: signed({}, { crit: ['exp'], exp: 1 }),
    want: extended,
  },
  {
    note: 'one that jose would understand',
    token: signed({}, { crit: ['b64'], b64: false }),
    want: extended,
  },
  { note: 'an empty list of them', token: signed({}, { crit: [] }), want: extended },
  { note: 'a token of a logout', token: signed({}, { typ: 'logout+jwt' }), want: otherKind },
  { note: 'a proof of possession', token: signed({}, { typ: 'dpop+jwt' }), want: otherKind },
  { note: 'a kind of no text', token: signed({}, { typ: ['JWT'] }), want: otherKind },
  { note: 'a user', token: signed({ idtyp: 'user' }), want: 'token of a user' },
  {
    note: 'no managed identity',
    token: signed({ xms_mirid: undefined }),
    want: 'token of no managed identity',
  },
  { note: 'claims that are no object', token: signToken(key, 'a'), want: malformed },
  { note: 'claims that are a list', token: signToken(key, [claims]), want: malformed },
  {
    note: 'a header that is no JSON',
    token: `${encode('{')}.${body}.${signature}`,
    want: malformed,
  },
  { note: 'nothing', token: '', want: malformed },
  { note: 'opaque', token: '8xLOxBtZp8', want: malformed },
  { note: 'two parts', token: `${head}.${body}`, want: malformed },
  { note: 'four parts', token: `${good}.AA`, want: malformed },
  {
    note: 'encrypted',
    token: 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AA.AA.AA',
    want: malformed,
  },
  { note: 'a sign that is not of base64url', token: good.replace('.', '.='), want: malformed },
  { note: 'two tokens', token: `${good}, Bearer ${good}`, want: malformed },
  { note: 'as long as may be', token: `a.b.${'c'.repeat(16 * 1024 - 4)}`, want: malformed },
  { note: 'longer', token: `a.b.${'c'.repeat(16 * 1024 - 3)}`, want: 'token that is too long' },
  { note: '8 MiB of it', token: 'a.'.repeat(4 * 1024 * 1024), want: 'token that is too long' },
]

void t.test('what does not verify is nobody', async (t) => {
  for (const { note, token, want } of refusals) {
    const { verify } = world([key, rsa, otherRsa])
    const finding = await verify(token)
    t.match(finding, { kind: 'nothing', note: want }, note)
    t.notMatch(JSON.stringify(finding), token.slice(0, 20) || 'Bearer', 'and nothing of it is told')
  }
})

const accepted: readonly { readonly note: string; readonly token: string }[] = [
  { note: 'ES256', token: good },
  { note: 'RS256', token: signToken(rsa, claims) },
  { note: 'EdDSA', token: signToken(ed, claims) },
  {
    note: 'no key id where there is one key of the kind',
    token: signToken(key, claims, { kid: undefined }),
  },
  { note: 'no type', token: signed({}, { typ: undefined }) },
  { note: 'the type of RFC 9068', token: signed({}, { typ: 'at+JWT' }) },
  { note: 'its type in full', token: signed({}, { typ: 'application/at+jwt' }) },
  { note: 'valid soon, within the tolerance', token: signed({ nbf: seconds + 30 }) },
]

void t.test('what does verify is a proof, to be judged with each request', async (t) => {
  for (const { note, token } of accepted) {
    const { verify } = world([key, rsa, ed])
    t.match(await verify(token), proof, note)
  }
})

void t.test('without end there is none, however late it says', async (t) => {
  const { verify } = world([key])
  t.match(await verify(signed({ exp: 1e300 })), { proof: { expiresAt: Number.MAX_SAFE_INTEGER } })
})

void t.test('a token that was verified is known by its hash until it expires', async (t) => {
  const { verify, pass } = world([key])
  const first = verify(good)
  t.ok(first instanceof Promise)
  const found = await first
  t.equal(verify(good), found, 'at once, and the same')
  pass(3_599_999)
  t.equal(verify(good), found)
  pass(1)
  t.match(await verify(good), { kind: 'nothing', note: expired })
})

void t.test('one that was refused is not verified again for a while', async (t) => {
  const { verify, pass } = world([key])
  const forged = signToken(stranger, claims)
  const found = await verify(forged)
  t.equal(verify(forged), found)
  pass(10_000)
  t.ok(verify(forged) instanceof Promise)
})

void t.test('a user is one until the token expires', async (t) => {
  const { verify, pass } = world([key])
  const user = signed({ idtyp: 'user' })
  const found = await verify(user)
  pass(3_599_999)
  t.equal(verify(user), found)
})

void t.test('what may be true in a moment is asked for anew', async (t) => {
  const { verify, pass, keys } = world([key])
  const early = signed({ nbf: seconds + 60 })
  const unknown = signToken(next, claims)
  t.match(await verify(early), { kind: 'nothing' })
  t.match(await verify(unknown), { note: unknownKey })
  pass(30_000)
  keys.published = [key, next]
  t.match(await verify(early), proof)
  t.match(await verify(unknown), proof)
})

void t.test('a key that is not known is looked for, and the token verified by it', async (t) => {
  const { verify, keys } = world([key])
  keys.published = [next]
  t.match(await verify(signToken(next, claims)), proof)
  t.equal(keys.renewed, 1)
  t.match(await verify(good), proof, 'which is no reason to forget the others while they count')
})

void t.test('nobody looks for keys because of a forged signature', async (t) => {
  const { verify, keys } = world([key])
  await verify(signToken(stranger, claims))
  await verify(signed({ exp: 1 }))
  t.equal(keys.renewed, 0)
})

void t.test('an issuer without keys: nobody is anybody, and that is not remembered', async (t) => {
  const { verify, keys } = world(undefined)
  t.match(await verify(good), { note: 'token of an issuer whose keys are not known' })
  keys.current = [key]
  t.match(await verify(good), proof)
})

void t.test('keys that fail to come are no error of the request', async (t) => {
  const broken: KeySource = {
    current: () => Promise.reject(new Error('down')),
    renew: () => Promise.reject(new Error('down')),
  }
  const verifier = createTokenVerifier({
    issuers: [issuerOf([])],
    keySourceFor: () => broken,
    now: () => start,
  })
  t.match(await verifier.verify(good), { note: 'token that cannot be verified', until: start })
})

void t.test('one token of many requests is verified once', async (t) => {
  const { verify } = world([key])
  const [first, second] = [verify(good), verify(good)]
  t.equal(first, second)
  t.match(await first, proof)
})

void t.test('only so many are verified at a time; the others are nobody for now', async (t) => {
  const { verify, keys } = world([key])
  const { promise, resolve } = Promise.withResolvers<void>()
  keys.ready = promise
  const waiting = Array.from({ length: 1000 }, (_, index) => verify(signed({ jti: String(index) })))
  const beyond = verify(good)
  t.notOk(beyond instanceof Promise)
  t.match(beyond, { note: 'token beyond those that are being verified', until: start })
  resolve()
  for (const one of waiting) t.equal((await one).kind, 'proof')
  t.match(await verify(good), proof)
})

void t.test('each issuer has its own keys and algorithms', async (t) => {
  const other = 'https://other.test/'
  const verifier = createTokenVerifier({
    issuers: [
      issuerOf([key], { algorithms: ['ES256'] }),
      issuerOf([rsa], { issuer: other, speaker: 'other', algorithms: ['RS256'] }),
    ],
    keySourceFor: sourceOf,
    now: () => start,
  })
  const of = (by: IssuerKey, iss: string) => verifier.verify(signToken(by, { ...claims, iss }))
  t.match(await of(key, testIssuer), { proof: { speaker: 'issuer' } })
  t.match(await of(rsa, other), { proof: { speaker: 'other' } })
  t.match(await of(key, other), { kind: 'nothing', note: unused })
  t.match(await of(rsa, testIssuer), { kind: 'nothing', note: unused })
})

function sourceOf(keys: Parameters<Parameters<typeof createTokenVerifier>[0]['keySourceFor']>[0]) {
  const held = keys.kind === 'file' ? keys.keys : []
  return { current: () => held, renew: async () => undefined } satisfies KeySource
}

/** One issuer; `undefined`: it has no keys. Its clock goes by hand. */
function world(current: readonly IssuerKey[] | undefined) {
  let now = start
  const keys: {
    current: readonly IssuerKey[] | undefined
    published: readonly IssuerKey[] | undefined
    ready: Promise<void> | undefined
    renewed: number
  } = { current, published: undefined, ready: undefined, renewed: 0 }
  const setOf = (held: readonly IssuerKey[] | undefined) => {
    const issued = held && issuerOf(held).keys
    return issued?.kind === 'file' ? issued.keys : undefined
  }
  const source: KeySource = {
    async current() {
      await keys.ready
      return setOf(keys.current)
    },
    async renew() {
      keys.renewed++
      return setOf(keys.published)
    },
  }
  const verifier = createTokenVerifier({
    issuers: [issuerOf([])],
    keySourceFor: () => source,
    now: () => now,
  })
  return {
    keys,
    verify: (token: string): TokenFinding | Promise<TokenFinding> => verifier.verify(token),
    pass: (ms: number) => (now += ms),
  }
}
