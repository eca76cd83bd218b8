import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadConfiguration } from '../../src/load-configuration.ts'
import { guidFor, testSubscription } from '../support/settings-parts.ts'
import { createIssuerKey, jwksOf, testIssuer } from '../support/tokens.ts'

const key = createIssuerKey('one')
const plain = {
  issuer: testIssuer,
  jwksUrl: 'https://issuer.test/keys',
  audiences: ['api://orders'],
  perimeters: [guidFor('shop')],
  subscriptions: [testSubscription],
}

async function load(t: Test, identity: object, resource: object = {}, more: object = {}) {
  const directory = t.testdir({
    'keys.json': jwksOf(key),
    'private.json': JSON.stringify({
      keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: 'p' }],
    }),
    'secret.json': JSON.stringify({ keys: [{ kty: 'oct', k: 'AQAB' }] }),
    'empty.json': '{"keys":[]}',
    'broken.json': '{',
    'shop.yaml': `name: shop
profiles: [{ name: web }]
resourceAssociations: [{ name: orders, privateLinkResource: { id: orders }, profile: { id: web } }]
`,
  })
  const file = join(directory, 'ringfence.yaml')
  const settings = {
    scope: { subscriptionId: testSubscription, resourceGroup: 'shop' },
    policy: { files: ['shop.yaml'] },
    resources: [
      { id: 'orders', hosts: ['orders.test'], backend: 'http://127.0.0.1:1', ...resource },
    ],
    inbound: [{ name: 'public', listen: { host: '127.0.0.1', port: 0 } }],
    identity,
    ...more,
  }
  await writeFile(file, JSON.stringify(settings))
  const loaded = await loadConfiguration(file, { instance: 'x' })
  const problems = loaded.kind === 'loaded' ? loaded.warnings : loaded.problems
  return {
    identity: loaded.kind === 'loaded' ? loaded.settings.identity : undefined,
    resources: loaded.kind === 'loaded' ? loaded.settings.resources : [],
    messages: problems.map(({ severity, message }) => `${severity}: ${message}`),
    watched: loaded.watchedFiles.map((path) => path.slice(directory.length + 1)),
  }
}

void t.test('without identity.tokens none is looked at', async (t) => {
  const { identity, messages } = await load(t, {})
  t.same(messages, [])
  t.match(identity, { tokens: undefined, speakers: new Map() })
})

void t.test('an issuer with keys at a URL, and what holds where nothing is said', async (t) => {
  const { identity, messages } = await load(t, { tokens: { issuers: [plain] } })
  t.same(messages, [])
  t.match(identity?.tokens, {
    header: 'authorization',
    issuers: [
      {
        issuer: testIssuer,
        algorithms: ['RS256'],
        clockToleranceMs: 30_000,
        keys: {
          kind: 'url',
          url: 'https://issuer.test/keys',
          refreshMs: 3_600_000,
          outageMs: 86_400_000,
          intervalMs: 30_000,
        },
      },
    ],
  })
  t.equal(identity?.headers.token, undefined, 'Authorization goes on to the back end')
  t.same(
    [...(identity?.speakers.values() ?? [])],
    [
      {
        perimeters: [guidFor('shop')],
        subscriptions: [testSubscription],
        audiences: ['api://orders'],
      },
    ],
  )
  t.same(
    [...(identity?.speakers.keys() ?? [])],
    identity?.tokens?.issuers.map(({ speaker }) => speaker),
  )
})

void t.test('a file of keys is read with the settings, and watched', async (t) => {
  const { jwksUrl: _, ...rest } = plain
  const { identity, messages, watched } = await load(t, {
    tokens: { header: 'X-Member-Token', issuers: [{ ...rest, jwksFile: 'keys.json' }] },
  })
  t.same(messages, [])
  t.match(identity?.tokens?.issuers, [
    { keys: { kind: 'file', keys: [{ kid: 'one', kty: 'EC' }] } },
  ])
  t.match(identity, { tokens: { header: 'x-member-token' }, headers: { token: 'x-member-token' } })
  t.ok(watched.includes('keys.json'))
})

void t.test('of a private key nothing but its public part is kept', async (t) => {
  const { jwksUrl: _, ...rest } = plain
  const { identity } = await load(t, {
    tokens: { issuers: [{ ...rest, jwksFile: 'private.json' }] },
  })
  const [issuer] = identity?.tokens?.issuers ?? []
  t.match(issuer?.keys, { kind: 'file', keys: [{ kid: 'p' }] })
  t.notMatch(JSON.stringify(issuer), '"d":')
})

void t.test('subscriptions are written as GUIDs or as rules spell them', async (t) => {
  const { identity, messages } = await load(t, {
    tokens: { issuers: [{ ...plain, subscriptions: [`/Subscriptions/${testSubscription}`] }] },
  })
  t.same(messages, [])
  t.same(identity?.speakers.values().next().value?.subscriptions, [testSubscription])
})

void t.test('who is verified otherwise is another speaker', async (t) => {
  const speakerOf = async (change: object): Promise<string | undefined> => {
    const { identity } = await load(t, { tokens: { issuers: [{ ...plain, ...change }] } })
    return identity?.tokens?.issuers[0]?.speaker
  }
  const before = await speakerOf({})
  for (const change of [
    { issuer: 'https://other.test/' },
    { algorithms: ['ES256'] },
    { jwksUrl: 'https://issuer.test/others' },
    { jwksUrl: undefined, jwksFile: 'keys.json' },
  ]) {
    t.not(await speakerOf(change), before, JSON.stringify(change))
  }
  for (const change of [
    { perimeters: [] },
    { audiences: ['api://other', 'api://orders'] },
    { jwksRefreshMs: 5 },
  ]) {
    t.equal(await speakerOf(change), before, JSON.stringify(change))
  }
})

const { jwksUrl: _, ...keyless } = plain
const place = 'no place for keys'

const problems: readonly {
  readonly note: string
  readonly tokens: object
  readonly resource?: object
  readonly want: RegExp
}[] = [
  { note: 'no issuer', tokens: { issuers: [] }, want: /^error: / },
  {
    note: 'an issuer without keys',
    tokens: { issuers: [keyless] },
    want: /^error: .*needs a `jwksUrl`/,
  },
  {
    note: 'two places for keys',
    tokens: { issuers: [{ ...plain, jwksFile: 'keys.json' }] },
    want: /^error: .*not both/,
  },
  ...[
    'http://issuer.test/keys',
    'http://10.0.0.1/keys',
    'http://localhost/keys',
    'http://127.0.0.1.evil.test/keys',
    'http://[::ffff:8.8.8.8]/keys',
    'ftp://127.0.0.1/keys',
    'file:///etc/keys',
    'https://user:secret@issuer.test/keys',
    'https://issuer.test/keys#a',
    'issuer.test/keys',
    'https://',
  ].map((jwksUrl) => ({
    note: `keys at ${jwksUrl}`,
    tokens: { issuers: [{ ...plain, jwksUrl }] },
    want: new RegExp(`^error: .*${place}`),
  })),
  ...['broken.json', 'empty.json', 'secret.json'].map((jwksFile) => ({
    note: `keys in ${jwksFile}`,
    tokens: { issuers: [{ ...keyless, jwksFile }] },
    want: /^error: the file holds no JSON Web Key Set/,
  })),
  {
    note: 'keys in no file',
    tokens: { issuers: [{ ...keyless, jwksFile: 'gone.json' }] },
    want: /^error: the file does not exist/,
  },
  ...['none', 'HS256', 'HS512', 'rs256', 'RSA1_5'].map((algorithm) => ({
    note: `the algorithm ${algorithm}`,
    tokens: { issuers: [{ ...plain, algorithms: [algorithm] }] },
    want: /^error: /,
  })),
  { note: 'no algorithm', tokens: { issuers: [{ ...plain, algorithms: [] }] }, want: /^error: / },
  {
    note: 'the same issuer twice',
    tokens: { issuers: [plain, plain] },
    want: /^error: .*declared twice/,
  },
  {
    note: 'a perimeter by name',
    tokens: { issuers: [{ ...plain, perimeters: ['shop'] }] },
    want: /^error: `shop` is not the GUID of a perimeter/,
  },
  {
    note: 'a subscription by name',
    tokens: { issuers: [{ ...plain, subscriptions: ['shop'] }] },
    want: /^error: `shop` is not a subscription/,
  },
  {
    note: 'an issuer that may speak for nobody',
    tokens: { issuers: [{ ...plain, subscriptions: [] }] },
    want: /^warning: this issuer may speak for no subscription/,
  },
  {
    note: 'a clock that is hours ahead',
    tokens: { issuers: [{ ...plain, clockToleranceMs: 3_600_000 }] },
    want: /^error: /,
  },
  ...['cookie', 'proxy-authorization', 'host', 'X-Forwarded-For'].map((header) => ({
    note: `tokens in ${header}`,
    tokens: { header, issuers: [plain] },
    want: /^error: .*has another meaning/,
  })),
  {
    note: 'tokens in a header that says something else already',
    tokens: { header: 'X_Nsp_Resource_Id', issuers: [plain] },
    want: /^error: .*already carries the resource/,
  },
  {
    note: 'nobody says whom tokens are made for',
    tokens: { issuers: [{ ...plain, audiences: [] }] },
    want: /^warning: no token says who calls `orders`/,
  },
]

void t.test('what is wrong with identity.tokens is told', async (t) => {
  for (const { note, tokens, resource, want } of problems) {
    const { messages } = await load(t, { tokens }, resource)
    t.ok(
      messages.some((message) => want.test(message)),
      `${note}: ${messages.join('; ')}`,
    )
  }
})

void t.test('keys on a loopback address need no TLS', async (t) => {
  for (const jwksUrl of [
    'http://127.0.0.1:8080/keys',
    'http://[::1]/keys',
    'https://a.test/k?v=1',
  ]) {
    t.same((await load(t, { tokens: { issuers: [{ ...plain, jwksUrl }] } })).messages, [], jwksUrl)
  }
})

void t.test('an audience of a resource', async (t) => {
  const tokens = { issuers: [{ ...plain, audiences: [] }] }
  const { resources, messages } = await load(t, { tokens }, { audience: 'api://orders' })
  t.same(messages, [])
  t.equal(resources[0]?.audience, 'api://orders')
  const without = await load(t, {}, { audience: 'api://orders' })
  t.match(without.messages, [/^warning: the `audience` of `orders` has no effect/])
})

void t.test(
  'callers that are known by tokens need somebody whose tokens are verified',
  async (t) => {
    const callers = [{ resource: 'orders', tokenAudience: 'api://gateway' }]
    const listen = { host: '127.0.0.1', port: 0 }
    const outbound = [{ name: 'gateway', listen, callers }]
    const without = await load(t, {}, {}, { outbound })
    t.match(without.messages, [/^error: `gateway` knows callers by tokens: add `identity.tokens`/])
    const { messages } = await load(t, { tokens: { issuers: [plain] } }, {}, { outbound })
    t.same(messages, [])
  },
)
