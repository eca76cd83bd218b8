import { once } from 'node:events'
import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2 } from '../support/http2-client.ts'
import { type InboundWorld, startInbound } from '../support/inbound-world.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { bearerOf, issuerKey, partner, tokenShop, vault } from '../support/token-shop.ts'
import { createIssuerKey, issuerOf, jwksOf } from '../support/tokens.ts'
import { echoFrames, upgradeRequest } from '../support/web-socket.ts'

/** What a token let in ends with it: by the clock, by a reload, and on a connection that is kept. */

const lanes = ['relay', 'library'] as const
const tolerableMs = 2000

/** In whole seconds, as tokens have it: at least one of them lies ahead. */
const soon = (): number => Math.floor(Date.now() / 1000) + 2

async function startSlow(t: Parameters<typeof startInbound>[0]): Promise<Origin> {
  const origin = await startOrigin(
    (request, response) => {
      if (request.url === '/stream') response.write('begun')
      else response.end('ok')
    },
    { onUpgrade: (_, socket, head) => echoFrames(socket, head) },
  )
  t.teardown(() => origin.close())
  return origin
}

const withToken = (request: string, token: string): string =>
  request.replace(/\r\n\r\n$/, `\r\nAuthorization: ${token}\r\n\r\n`)

const get = (path: string, token: string): string =>
  withToken(`GET ${path} HTTP/1.1\r\nHost: orders.test\r\n\r\n`, token)

async function beginStream(world: InboundWorld, token: string): Promise<RawClient> {
  const client = await connectRaw(world)
  client.send(get('/stream', token))
  await client.until('begun')
  return client
}

async function beginUpgrade(world: InboundWorld, token: string): Promise<RawClient> {
  const client = await connectRaw(world)
  client.send(withToken(upgradeRequest('orders.test'), token))
  await client.response()
  return client
}

for (const lane of lanes) {
  void t.test(`${lane}: what is open ends with the token that let it in`, async (t) => {
    const origin = await startSlow(t)
    const world = await startInbound(t, { ...tokenShop(origin.url), lane })
    const exp = soon()
    const clients = [
      await beginStream(world, bearerOf(vault, { exp })),
      await beginUpgrade(world, bearerOf(vault, { exp })),
    ]
    const later = await beginStream(world, bearerOf(vault, { exp: exp + 60 }))
    for (const client of clients) t.equal((await client.rest()).how, 'reset')
    const lateMs = Date.now() - exp * 1000
    t.ok(lateMs >= 0 && lateMs <= tolerableMs, `${lateMs} ms behind the end of the token`)
    await world.record(({ end }) => end?.closeReason === 'policy-revoked')
    t.equal(world.openConnections.size, 1, 'and nothing else does')
    later.destroy()
    await world.quiet()
    const revoked = world.records.filter(({ end }) => end?.closeReason === 'policy-revoked')
    t.same(
      revoked.map(({ decision }) => decision.reason),
      ['same-perimeter', 'same-perimeter'],
      'as what they were allowed as',
    )
  })

  void t.test(`${lane}: what a rule about addresses lets in as well goes on`, async (t) => {
    const origin = await startSlow(t)
    const perimeters = [
      {
        name: 'shop',
        profiles: [
          { name: 'web', accessRules: [{ name: 'office', addressPrefixes: ['127.0.0.0/8'] }] },
        ],
        associations: [{ resource: 'orders' }, { resource: 'vault' }],
      },
    ]
    const world = await startInbound(t, { ...tokenShop(origin.url), perimeters, lane })
    const exp = soon()
    const stays = await beginUpgrade(world, bearerOf(vault, { exp }))
    const ends = await startInbound(t, { ...tokenShop(origin.url), lane })
    await (await beginUpgrade(ends, bearerOf(vault, { exp }))).rest()
    t.equal(world.openConnections.size, 1)
    stays.destroy()
    await world.quiet()
    const last = world.records.at(-1)
    t.match(last, { decision: { reason: 'access-rule' }, detail: 'proof that has expired' })
    t.not(last?.end?.closeReason, 'policy-revoked')
  })

  void t.test(`${lane}: a reload that trusts the issuer less ends what it let in`, async (t) => {
    const origin = await startSlow(t)
    const shop = { ...tokenShop(origin.url), lane }
    const tokens = { header: 'authorization', issuers: [issuerOf([issuerKey])] }
    const [issuer] = tokens.issuers
    const changes = [
      {
        note: 'tokens are not looked at any more',
        next: { tokens: undefined, speakers: new Map() },
      },
      {
        note: 'an issuer with other keys',
        next: {
          tokens: { ...tokens, issuers: [issuerOf([createIssuerKey('new')], { speaker: 'new' })] },
          speakers: new Map([['new', { perimeters: [], subscriptions: [partner] }]]),
        },
      },
      {
        note: 'an issuer that may speak for others only',
        next: {
          tokens,
          speakers: new Map([['issuer', { perimeters: [], subscriptions: [partner] }]]),
        },
      },
      {
        note: 'another audience',
        next: {
          resources: shop.resources?.map((one) => ({ ...one, audience: 'api://new' })),
        },
      },
    ]
    for (const { note, next } of changes) {
      const world = await startInbound(t, shop)
      const client = await beginStream(world, bearerOf(vault))
      const { resources = shop.resources, ...rest } = next
      await world.reload({ ...shop, ...rest, ...(resources === undefined ? {} : { resources }) })
      t.equal((await client.rest()).how, 'reset', note)
      await world.quiet()
      t.equal(world.records.at(-1)?.end?.closeReason, 'policy-revoked', note)
    }
    t.ok(issuer)
  })

  void t.test(`${lane}: a reload that says nothing of it leaves what a token let in`, async (t) => {
    const origin = await startSlow(t)
    const shop = { ...tokenShop(origin.url), lane }
    const world = await startInbound(t, shop)
    const first = await connectRaw(world)
    const token = bearerOf(vault)
    first.send(get('/', token))
    t.equal((await first.response()).status, 200)
    // The same fields once more, by what is remembered of them.
    first.send(get('/', token))
    t.equal((await first.response()).status, 200)
    first.send(get('/stream', token))
    await first.until('begun')
    await world.reload({ ...shop, egress: { ports: [81] } })
    t.equal(world.openConnections.size, 1)
    t.equal(first.stream.destroyed, false)
    first.destroy()
    await world.quiet()
    t.not(world.records.at(-1)?.end?.closeReason, 'policy-revoked')
  })

  void t.test(
    `${lane}: the same request on the same connection is nobody's afterwards`,
    async (t) => {
      const origin = await startSlow(t)
      const world = await startInbound(t, { ...tokenShop(origin.url), lane })
      const client = await connectRaw(world)
      const exp = soon()
      const request = get('/', bearerOf(vault, { exp }))
      client.send(request)
      t.equal((await client.response()).status, 200)
      client.send(request)
      t.equal((await client.response()).status, 200)
      // Whatever expires with it has ended: then it is over.
      await (await beginUpgrade(world, bearerOf(vault, { exp }))).rest()
      client.send(request)
      t.equal((await client.response()).status, 403)
      client.destroy()
      await world.quiet()
      const [last] = world.records.filter(({ decision }) => decision.effect === 'deny')
      t.match(last, { detail: /has expired$/, decision: { reason: 'no-matching-rule' } })
    },
  )

  void t.test(
    `${lane}: each token on a connection is the one that counts for its request`,
    async (t) => {
      const origin = await startSlow(t)
      const world = await startInbound(t, { ...tokenShop(origin.url), lane })
      const client = await connectRaw(world)
      const statusOf = async (token: string): Promise<number> => {
        client.send(get('/', token))
        return (await client.response()).status
      }
      const valid = bearerOf(vault)
      t.equal(await statusOf(valid), 200)
      t.equal(await statusOf(bearerOf(vault, { aud: 'api://vault' })), 403)
      t.equal(await statusOf(valid), 200)
      t.equal(await statusOf('Bearer opaque'), 403)
      t.equal(await statusOf(`${valid.slice(0, -4)}AAAA`), 403)
      t.equal(await statusOf(valid), 200)
      client.destroy()
      await world.quiet()
    },
  )

  void t.test(`${lane}: keys that are replaced: old tokens last, new ones are known`, async (t) => {
    const origin = await startSlow(t)
    const next = createIssuerKey('next')
    const keys = {
      kind: 'url',
      url: 'https://issuer.test/',
      refreshMs: 1e6,
      outageMs: 1e6,
      intervalMs: 1,
    } as const
    const tokens = { header: 'authorization', issuers: [issuerOf([], { keys })] }
    let published = jwksOf(issuerKey)
    const world = await startInbound(
      t,
      { ...tokenShop(origin.url, { tokens }), lane },
      { fetchJwks: async () => published },
    )
    const statusOf = async (token: string): Promise<number> => {
      const client = await connectRaw(world)
      client.send(get('/', token))
      const { status } = await client.response()
      client.destroy()
      return status
    }
    const old = bearerOf(vault)
    t.equal(await statusOf(old), 200)
    published = jwksOf(next)
    t.equal(await statusOf(bearerOf(vault, {}, next)), 200)
    t.equal(await statusOf(old), 200, 'it was verified')
    t.equal(await statusOf(bearerOf(vault, { jti: 'new' })), 403, 'but the key is gone')
    await world.quiet()
  })
}

void t.test('HTTP/2: a stream ends with its token, and no other with it', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const pem = authority.issue('orders.test')
  const origin = await startSlow(t)
  const tls = { certificateFile: pem.certificateFile, keyFile: pem.keyFile }
  const inbound = [{ name: 'public', tls }]
  const world = await startInbound(t, { ...tokenShop(origin.url), inbound }, { pem })
  const client = await connectHttp2({ ...world, ca: authority.ca, servername: 'orders.test' })
  t.teardown(() => client.destroy())
  const exp = soon()
  const begin = async (token: string) => {
    const stream = client.request('/stream', { headers: { authorization: token } })
    await once(stream, 'data')
    return stream
  }
  const ends = await begin(bearerOf(vault, { exp }))
  const lasts = await begin(bearerOf(vault))
  await once(ends, 'close')
  const lateMs = Date.now() - exp * 1000
  t.ok(lateMs >= 0 && lateMs <= tolerableMs, `${lateMs} ms behind the end of the token`)
  t.not(ends.rstCode, 0)
  t.equal(lasts.closed, false)
  lasts.close()
  await world.record(({ end }) => end?.closeReason === 'policy-revoked')
})
