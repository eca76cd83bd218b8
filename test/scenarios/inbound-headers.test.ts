import t from 'tap'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin, startRawOrigin, answerRaw, type Origin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { guidFor } from '../support/settings-parts.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { laneUnderTest } from '../support/settings-parts.ts'

const host = 'Host: orders.test\r\n'

/** Names and values that reach the back end for these fields. */
async function passedOn(
  t: { teardown(end: () => Promise<void>): void },
  fields: string,
  more: Partial<InForceParts> = {},
): Promise<{ origin: Origin; status: number; raw: readonly string[]; removed: readonly string[] }> {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, more))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}${fields}\r\n`)
  const { status } = await client.response()
  client.destroy()
  return {
    origin,
    status,
    raw: origin.seen[0]?.rawHeaders ?? [],
    removed: world.records[0]?.removedHeaders ?? [],
  }
}

const identitySpellings = [
  'X-Nsp-Subscription-Id',
  'x_nsp_subscription_id',
  'X.Nsp.Perimeter.Id',
  'X-NSP_Resource-Id',
]

/** What a name may hold besides letters, digits and `-` (RFC 9110 5.6.2): CGI and its like make `_` of each. */
const signs = Array.from("!#$%&'*+.^_`|~")

void t.test('no sign that a name may hold disguises a field of ours', async (t) => {
  const names = [
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Real-IP',
    'True-Client-IP',
    'X-Nsp-Subscription-Id',
    'X-Nsp-Perimeter-Id',
    'X-Nsp-Resource-Id',
  ]
  for (const sign of signs) {
    const spelled = names.map((name) => name.replaceAll('-', sign))
    const more = [`x${sign}ringfence-correlation-id`, `proxy${sign}authorization`]
    const fields = [...spelled, ...more].map((name) => `${name}: forged\r\n`)
    const { status, raw, removed } = await passedOn(t, fields.join(''))
    t.equal(status, 200, sign)
    t.notOk(raw.includes('forged'), sign)
    t.strictSame(removed, spelled)
  }
})

void t.test(
  'Proxy, which CGI takes for the proxy to use, stays here (CVE-2016-5385)',
  async (t) => {
    for (const name of ['Proxy', 'PROXY']) {
      const { status, raw } = await passedOn(t, `${name}: http://evil.test/\r\n`)
      t.equal(status, 200)
      t.notOk(raw.includes('http://evil.test/'), name)
    }
  },
)

void t.test(
  'identity headers in any spelling never reach the back end, and the log names them',
  async (t) => {
    for (const name of identitySpellings) {
      const { status, raw, removed } = await passedOn(t, `${name}: anything\r\n`)
      t.equal(status, 200, name)
      t.notOk(raw.includes(name), name)
      t.strictSame(removed, [name])
    }
  },
)

void t.test('forwarding headers in any spelling are replaced by ours', async (t) => {
  const forged =
    'X-Forwarded-For: 9.9.9.9\r\nX_Forwarded_For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\n' +
    'X-Forwarded-Proto: https\r\nX-Forwarded-Host: other.test\r\nX-Forwarded-Uri: /admin\r\nTrue-Client-IP: 9.9.9.9\r\n'
  const { origin, raw, removed } = await passedOn(t, forged)
  t.notOk(raw.some((text) => text.includes('9.9.9.9')))
  t.strictSame(origin.seen[0]?.header('x-forwarded-for'), ['127.0.0.1'])
  t.strictSame(origin.seen[0]?.header('x-forwarded-proto'), ['http'])
  t.strictSame(origin.seen[0]?.header('x-forwarded-host'), ['orders.test'])
  t.strictSame(origin.seen[0]?.header('forwarded'), [])
  t.equal(removed.length, 8)
})

void t.test('a trusted proxy is believed about the address and about nothing else', async (t) => {
  const inbound = [{ name: 'public', trustedProxies: ['127.0.0.0/8'] }]
  const fields =
    'X-Forwarded-For: 6.6.6.6, 127.0.0.9\r\nX-Forwarded-Proto: https\r\nX-Nsp-Perimeter-Id: mine\r\n'
  const perimeters = [
    {
      name: 'shop',
      profiles: [
        { name: 'web', accessRules: [{ name: 'office', addressPrefixes: ['6.6.6.6/32'] }] },
      ],
      associations: [{ resource: 'orders' }],
    },
  ]
  const { origin, status } = await passedOn(t, fields, { inbound, perimeters })
  t.equal(status, 200)
  t.strictSame(origin.seen[0]?.header('x-forwarded-for'), ['6.6.6.6'])
  t.strictSame(origin.seen[0]?.header('x-forwarded-proto'), ['http'])
  t.strictSame(origin.seen[0]?.header('x-nsp-perimeter-id'), [])
  const untrusted = await passedOn(t, fields, { perimeters })
  t.equal(untrusted.status, 403, 'anybody else is judged by the socket')
  const garbled = await passedOn(t, 'X-Forwarded-For: unknown\r\n', { inbound, perimeters })
  t.equal(garbled.status, 400, 'and what it says must be readable')
})

void t.test('with `forwarded` configured, that one is read and written', async (t) => {
  const inbound = [
    { name: 'public', trustedProxies: ['127.0.0.1/32'], forwardedHeader: 'forwarded' as const },
  ]
  const fields = 'Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 9.9.9.9\r\n'
  const perimeters = [
    {
      name: 'shop',
      profiles: [
        { name: 'web', accessRules: [{ name: 'office', addressPrefixes: ['6.6.6.6/32'] }] },
      ],
      associations: [{ resource: 'orders' }],
    },
  ]
  const { origin } = await passedOn(t, fields, { inbound, perimeters })
  t.strictSame(origin.seen[0]?.header('forwarded'), ['for=6.6.6.6;host="orders.test";proto=http'])
  t.strictSame(origin.seen[0]?.header('x-forwarded-for'), [])
})

void t.test('identity headers are believed from whoever overwrites them, once each', async (t) => {
  const partner = guidFor('partner')
  const more = {
    headersTrustedFrom: ['127.0.0.1/32'],
    perimeters: [
      {
        name: 'shop',
        profiles: [{ name: 'web', accessRules: [{ name: 'partner', subscriptions: [partner] }] }],
        associations: [{ resource: 'orders' }],
      },
    ],
  }
  const field = `X-Nsp-Subscription-Id: ${partner}\r\n`
  const believed = await passedOn(t, field, more)
  t.equal(believed.status, 200)
  t.strictSame(believed.origin.seen[0]?.header('x-nsp-subscription-id'), [])
  t.equal((await passedOn(t, '', more)).status, 403)
  t.equal((await passedOn(t, field + field, more)).status, 400, 'twice')
  t.equal(
    (await passedOn(t, `${field}x_nsp_subscription_id: ${partner}\r\n`, more)).status,
    400,
    'in two spellings',
  )
  t.equal(
    (await passedOn(t, field, { ...more, headersTrustedFrom: ['127.0.0.2/32'] })).status,
    403,
    'from another',
  )
})

void t.test('Connection cannot take away what is ours, or the body', async (t) => {
  const { origin, raw } = await passedOn(
    t,
    'Connection: close, X-Forwarded-For, X-Secret, Connection, Proxy-Connection\r\nX-Secret: 1\r\nX-Kept: 1\r\n' +
      'Keep-Alive: timeout=5\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n',
  )
  t.strictSame(origin.seen[0]?.header('x-forwarded-for'), ['127.0.0.1'])
  for (const gone of [
    'x-secret',
    'keep-alive',
    'proxy-authorization',
    'proxy-connection',
    'te',
    'transfer-encoding',
  ]) {
    t.strictSame(origin.seen[0]?.header(gone), [], gone)
  }
  // HTTP/1.1 keeps a connection without being told; Node's client tells it.
  const told = laneUnderTest === 'library' ? ['keep-alive'] : []
  t.strictSame(origin.seen[0]?.header('connection'), told)
  t.ok(raw.includes('X-Kept'))
})

void t.test('everything else goes on as it was spelled, repeated fields too', async (t) => {
  const { raw } = await passedOn(
    t,
    'Accept: a\r\nCookie: a=1\r\nCookie: b=2\r\nX-Many: 1\r\nX-Many: 2\r\nX-MS-Version: 2024-11-04\r\nAuthorization: SharedKey a:b\r\n' +
      '__proto__: x\r\nX-Ringfence-Trust: me\r\nX-Latin: \xe9\r\n',
  )
  const fields = raw.flatMap((text, index) =>
    index % 2 === 0 ? [`${text}: ${raw[index + 1]}`] : [],
  )
  for (const field of [
    'Accept: a',
    ...(laneUnderTest === 'library' ? ['Cookie: a=1; b=2'] : ['Cookie: a=1', 'Cookie: b=2']),
    'X-Many: 1',
    'X-Many: 2',
    'X-MS-Version: 2024-11-04',
    'Authorization: SharedKey a:b',
    '__proto__: x',
    'X-Latin: \xe9',
  ]) {
    t.ok(fields.includes(field), field)
  }
  t.notOk(raw.includes('X-Ringfence-Trust'))
})

void t.test('hop-by-hop fields of the back end do not reach the client', async (t) => {
  const origin = await startRawOrigin({
    onData: answerRaw(
      'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Internal\r\nX-Internal: 1\r\nKeep-Alive: timeout=99\r\n' +
        'Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: x\r\nX-Ms-Request-Id: theirs\r\n' +
        'X-Ringfence-Correlation-Id: forged\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok',
    ),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  const response = await client.response()
  for (const gone of ['x-internal', 'proxy-authenticate', 'upgrade', 'trailer']) {
    t.equal(response.header(gone), undefined, gone)
  }
  t.notMatch(response.header('keep-alive'), '99')
  t.equal(response.header('x-ms-request-id'), 'theirs')
  t.equal(response.header('x-ringfence-correlation-id'), 'correlation-1')
  t.equal(response.header('set-cookie'), 'a=1, b=2')
  client.destroy()
})

void t.test('a browser gets a page, and no policy in it', async (t) => {
  const world = await startInbound(t, { ...openShop('http://127.0.0.1:1'), perimeters: [] })
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\r\n`)
  const response = await client.response()
  t.equal(response.status, 403)
  t.match(response.header('content-type'), 'text/html')
  t.match(response.body, 'correlation-1')
  t.notMatch(response.body, 'office')
  client.destroy()
})
