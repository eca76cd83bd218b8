import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { Lane } from '../../src/settings/settings.ts'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2 } from '../support/http2-client.ts'
import { type InboundWorld, startInbound } from '../support/inbound-world.ts'
import { type Origin, readBody, startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { bearerOf, issuerKey, tokenShop, vault } from '../support/token-shop.ts'
import { issuerOf, jwksOf } from '../support/tokens.ts'
import { clientFrame, echoFrames, serverFrame, upgradeRequest } from '../support/web-socket.ts'

/** While the keys of an issuer are on their way, a request waits: for a bounded time, in its turn, and without a byte going on. */

const keys = {
  kind: 'url',
  url: 'https://issuer.test/',
  refreshMs: 1e6,
  outageMs: 1,
  intervalMs: 1,
} as const
const tokens = { header: 'authorization', issuers: [issuerOf([], { keys })] }
const others = { header: 'authorization', issuers: [issuerOf([issuerKey], { speaker: 'other' })] }
const lanes: readonly Lane[] = ['relay', 'library']

interface Waiting {
  readonly origin: Origin
  readonly world: InboundWorld
  /** Resolves once the keys have been asked for. */
  readonly asked: Promise<void>
  /** Lets the keys come, or fails to. */
  readonly answer: (text?: string) => void
}

async function start(t: Test, lane: Lane, more: Partial<InForceParts> = {}): Promise<Waiting> {
  const origin = await startOrigin(
    (request, response) => {
      // What breaks off in the middle is nobody's to answer.
      const body = readBody(request).catch(() => undefined)
      void body.then((bytes) => response.end(`${request.url} ${bytes?.toString()}`))
    },
    { onUpgrade: (_, socket, head) => echoFrames(socket, head) },
  )
  t.teardown(() => origin.close())
  const asked = Promise.withResolvers<void>()
  const held = Promise.withResolvers<string>()
  const world = await startInbound(
    t,
    { ...tokenShop(origin.url, { tokens }), lane, ...more },
    {
      fetchJwks() {
        asked.resolve()
        return held.promise
      },
    },
  )
  return {
    origin,
    world,
    asked: asked.promise,
    answer: (text) => held.resolve(text ?? jwksOf(issuerKey)),
  }
}

const head = (line: string, token: string, more = ''): string =>
  `${line} HTTP/1.1\r\nHost: orders.test\r\nAuthorization: ${token}\r\n${more}\r\n`

for (const lane of lanes) {
  void t.test(
    `${lane}: a request waits for its keys, and those behind it for their turn`,
    async (t) => {
      const { origin, world, asked, answer } = await start(t, lane)
      const client = await connectRaw(world)
      client.send(head('POST /one', bearerOf(vault, { jti: 'one' }), 'Content-Length: 5\r\n'))
      client.send('hello')
      client.send(head('GET /two', bearerOf(vault, { jti: 'two' })))
      client.send(head('GET /three', 'Bearer opaque'))
      await asked
      t.same([world.records.length, origin.accepted()], [0, 0], 'nothing was decided or dialled')
      answer()
      t.match(await client.response(), { status: 200, body: '/one hello' })
      t.match(await client.response(), { status: 200, body: '/two ' })
      t.equal((await client.response()).status, 403)
      client.destroy()
      await world.quiet()
      t.same(
        world.records.map(({ decision }) => decision.reason),
        ['same-perimeter', 'same-perimeter', 'no-matching-rule'],
      )
      t.same(world.complaints, [])
    },
  )

  void t.test(`${lane}: keys that do not come are no reason to let anybody in`, async (t) => {
    const { origin, world, asked, answer } = await start(t, lane)
    const client = await connectRaw(world)
    client.send(head('GET /', bearerOf(vault)))
    await asked
    answer('nothing of use')
    t.equal((await client.response()).status, 403)
    client.destroy()
    await world.quiet()
    t.match(world.records, [{ detail: 'token of an issuer whose keys are not known' }])
    t.equal(origin.accepted(), 0)
  })

  void t.test(
    `${lane}: a client that goes meanwhile leaves a record and nothing else`,
    async (t) => {
      const { origin, world, asked, answer } = await start(t, lane)
      const client = await connectRaw(world)
      client.send(head('GET /', bearerOf(vault)))
      await asked
      client.destroy()
      await world.quiet()
      t.equal(world.openConnections.size, 0)
      t.equal(world.proxy.open, 0)
      answer()
      const record = await world.record(() => true)
      t.match(record, {
        decision: { effect: 'deny', reason: 'unknown-caller' },
        detail: 'over before its token was verified',
      })
      t.equal(origin.accepted(), 0)
      t.same([world.records.length, world.openConnections.size], [1, 0])
    },
  )

  void t.test(`${lane}: of a body no more is read than one read brings`, async (t) => {
    const { world, asked, answer } = await start(t, lane)
    const client = await connectRaw(world)
    const length = 64 * 1024 * 1024
    client.send(head('POST /', bearerOf(vault), `Content-Length: ${length}\r\n`))
    await asked
    const chunk = Buffer.alloc(1024 * 1024)
    let sent = 0
    while (sent < length && client.stream.write(chunk)) sent += chunk.length
    for (let full = 0; full < 20 && sent < length;) {
      const took = await Promise.race([
        once(client.stream, 'drain').then(() => true),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 100)),
      ])
      if (!took) break
      sent += chunk.length
      full = client.stream.write(chunk) ? 0 : full + 1
    }
    t.ok(sent < length / 2, `${sent} bytes were taken`)
    answer()
    client.destroy()
    await world.quiet()
  })

  void t.test(
    `${lane}: whoever waits too long is told so, recorded, and not let in later`,
    async (t) => {
      const { origin, world, asked, answer } = await start(t, lane, {
        timeouts: { bodyIdleMs: 200 },
      })
      const client = await connectRaw(world)
      client.send(head('GET /', bearerOf(vault)))
      await asked
      t.equal((await client.response()).status, 504)
      answer()
      const record = await world.record(() => true)
      t.match(record, {
        decision: { effect: 'deny' },
        detail: 'over before its token was verified',
      })
      t.equal(origin.accepted(), 0)
      client.destroy()
    },
  )

  void t.test(
    `${lane}: an upgrade waits, and what the client says meanwhile waits with it`,
    async (t) => {
      const { origin, world, asked, answer } = await start(t, lane)
      const client = await connectRaw(world)
      const upgrade = upgradeRequest('orders.test').replace(
        /\r\n\r\n$/,
        `\r\nAuthorization: ${bearerOf(vault)}\r\n\r\n`,
      )
      client.send(upgrade)
      client.send(clientFrame('early'))
      await asked
      t.equal(origin.accepted(), 0)
      answer()
      t.equal((await client.response()).status, 101)
      await client.until(serverFrame('early').toString('latin1'))
      client.destroy()
      await world.quiet()
      t.match(world.records[0], { decision: { reason: 'same-perimeter' } })
    },
  )

  void t.test(`${lane}: an upgrade whose client goes meanwhile leaves nothing`, async (t) => {
    const { origin, world, asked, answer } = await start(t, lane)
    const client = await connectRaw(world)
    client.send(
      upgradeRequest('orders.test').replace(
        /\r\n\r\n$/,
        `\r\nAuthorization: ${bearerOf(vault)}\r\n\r\n`,
      ),
    )
    await asked
    client.destroy()
    await world.quiet()
    answer()
    const record = await world.record(() => true)
    t.match(record, { decision: { effect: 'deny' }, detail: 'over before its token was verified' })
    t.same([origin.accepted(), world.openConnections.size], [0, 0])
  })

  void t.test(`${lane}: a reload that takes the issuer away meanwhile counts`, async (t) => {
    const { origin, world, asked, answer } = await start(t, lane)
    const client = await connectRaw(world)
    client.send(head('GET /', bearerOf(vault)))
    await asked
    await world.reload({ ...tokenShop(origin.url, { tokens: others }), lane })
    answer()
    t.equal((await client.response()).status, 403)
    client.destroy()
    await world.quiet()
    t.match(world.records, [{ detail: 'proof of somebody who is not trusted' }])
  })
}

void t.test('over HTTP/2 one stream waits for its keys, and no other for it', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const pem = authority.issue('orders.test')
  const asked = Promise.withResolvers<void>()
  const held = Promise.withResolvers<string>()
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const tls = { certificateFile: pem.certificateFile, keyFile: pem.keyFile }
  const world = await startInbound(
    t,
    { ...tokenShop(origin.url, { tokens }), inbound: [{ name: 'public', tls }] },
    {
      pem,
      fetchJwks() {
        asked.resolve()
        return held.promise
      },
    },
  )
  const client = await connectHttp2({ ...world, ca: authority.ca, servername: 'orders.test' })
  t.teardown(() => client.destroy())
  const slow = client.exchange('/', { headers: { authorization: bearerOf(vault) } })
  const gone = client.request('/', { headers: { authorization: bearerOf(vault, { jti: '2' }) } })
  await asked.promise
  gone.close(8)
  await once(gone, 'close')
  // Frames come in order: with this answer, the reset has arrived.
  t.equal((await client.exchange('/')).status, 403)
  t.equal(origin.accepted(), 0)
  held.resolve(jwksOf(issuerKey))
  t.equal((await slow).status, 200)
  await world.record(({ detail }) => detail === 'over before its token was verified')
  t.equal(origin.seen.length, 1)
  t.equal(world.openConnections.size, 0)
})
