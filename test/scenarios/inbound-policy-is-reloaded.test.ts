import t from 'tap'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { closedShop, openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { clientFrame, echoFrames, serverFrame, upgradeRequest } from '../support/web-socket.ts'

const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'

void t.test('a rule withdrawn ends what it let in, at every stage, and nothing else', async (t) => {
  let asked: (() => void) | undefined
  const origin = await startOrigin(
    (request, response) => {
      if (request.url === '/stream') response.write('begun')
      asked?.()
    },
    { onUpgrade: (_, socket, head) => echoFrames(socket, head) },
  )
  t.teardown(() => origin.close())
  const both = (backend: string, web: readonly string[]) => ({
    ...openShop(backend),
    resources: [
      { id: 'orders', hosts: ['orders.test'], backend },
      { id: 'other', hosts: ['other.test'], backend },
    ],
    perimeters: [
      {
        name: 'shop',
        profiles: [
          { name: 'web', accessRules: [{ name: 'office', addressPrefixes: web }] },
          { name: 'open', accessRules: [{ name: 'all', addressPrefixes: ['0.0.0.0/0'] }] },
        ],
        associations: [{ resource: 'orders' }, { resource: 'other', profile: 'open' }],
      },
    ],
  })
  const world = await startInbound(t, both(origin.url, ['127.0.0.1/32']))
  const socket = await connectRaw(world)
  socket.send(upgradeRequest('orders.test'))
  t.equal((await socket.response()).status, 101)
  const streaming = await connectRaw(world)
  streaming.send('GET /stream HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  await streaming.until('begun')
  const waiting = await connectRaw(world)
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  waiting.send(get)
  await isAsked
  const other = await connectRaw(world)
  other.send(upgradeRequest('other.test'))
  t.equal((await other.response()).status, 101)
  t.equal(world.openConnections.size, 4)

  const from = performance.now()
  await world.reload(both(origin.url, []))

  t.equal((await socket.rest()).how, 'reset')
  t.equal((await streaming.rest()).how, 'reset')
  const refused = await waiting.response()
  t.equal(refused.status, 403)
  t.match(refused.body, '"reason":"policy-revoked"')
  t.ok(performance.now() - from < 2000)
  other.send(clientFrame('still here'))
  await other.until(serverFrame('still here').toString('latin1'))
  waiting.send(get)
  t.match((await waiting.response()).body, '"reason":"no-matching-rule"')
  t.strictSame(
    world.records.filter(({ end }) => end !== undefined).map(({ end }) => end?.closeReason),
    ['policy-revoked', 'policy-revoked', 'policy-revoked'],
  )
  t.equal(world.openConnections.size, 1)
  other.destroy()
  waiting.destroy()
  t.strictSame(world.complaints, [])
})

void t.test('what a new policy still allows goes on', async (t) => {
  const held: ServerResponse[] = []
  let asked: (() => void) | undefined
  const origin = await startOrigin((_request, response) => {
    held.push(response)
    asked?.()
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  client.send(get)
  await isAsked
  for (let reload = 0; reload < 50; reload++) {
    await world.reload(openShop(origin.url, { endLineAfterMs: 1000 + reload }))
  }
  held[0]?.end('kept')
  t.equal((await client.response()).body, 'kept')
  client.destroy()
})

void t.test(
  'an upgrade whose back end has not answered yet is revoked with an answer',
  async (t) => {
    let asked: (() => void) | undefined
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const origin = await startOrigin(undefined, {
      onUpgrade(_, socket) {
        socket.on('end', () => socket.end())
        socket.resume()
        asked?.()
      },
    })
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(origin.url))
    const client = await connectRaw(world)
    client.send(upgradeRequest('orders.test'))
    await isAsked
    const [backend] = origin.sockets
    await world.reload(closedShop(origin.url))
    t.equal((await client.response()).status, 403)
    if (backend !== undefined && !backend.destroyed) await once(backend, 'close')
    t.match(await world.record(({ end }) => end !== undefined), {
      end: { closeReason: 'policy-revoked' },
    })
  },
)

void t.test(
  'a host that now belongs to another resource does not keep its connections',
  async (t) => {
    const origin = await startOrigin(undefined, {
      onUpgrade: (_, socket, head) => echoFrames(socket, head),
    })
    t.teardown(() => origin.close())
    const parts = openShop(origin.url)
    const world = await startInbound(t, parts)
    const client = await connectRaw(world)
    client.send(upgradeRequest('orders.test'))
    t.equal((await client.response()).status, 101)
    await world.reload({
      ...parts,
      resources: [
        { id: 'orders', hosts: ['old.test'], backend: origin.url },
        { id: 'new', hosts: ['orders.test'], backend: origin.url, publicNetworkAccess: 'Enabled' },
      ],
    })
    await client.rest()
    t.match(await world.record(({ end }) => end !== undefined), {
      end: { closeReason: 'policy-revoked' },
    })
  },
)

void t.test(
  'without a policy, and without its listener in the settings, everything is denied',
  async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    const parts = openShop(origin.url)
    const world = await startInbound(t, parts)
    const client = await connectRaw(world)
    world.inForce.clear()
    client.send(get)
    const undecided = await client.response()
    t.equal(undecided.status, 500)
    t.match(undecided.body, '"reason":"internal-error"')
    await world.reload({ ...parts, inbound: [{ name: 'another' }] })
    client.send(get)
    t.equal((await client.response()).status, 404)
    await world.reload({ ...parts, inbound: [{ name: 'public', resource: 'orders' }] })
    client.send('GET / HTTP/1.1\r\nHost: anything.example\r\n\r\n')
    t.equal((await client.response()).status, 200, 'the one resource, under any host')
    t.equal(origin.seen.length, 1)
    client.destroy()
  },
)

void t.test('an unknown host is a 404 that names nothing', async (t) => {
  const world = await startInbound(t, openShop('http://127.0.0.1:1'))
  for (const host of ['other.test', 'orders.test.other', 'xorders.test', '127.0.0.1', '[::1]']) {
    const client = await connectRaw(world)
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    const response = await client.response()
    t.equal(response.status, 404, host)
    t.match(response.body, '"reason":"unknown-resource"')
    client.destroy()
  }
  for (const host of ['ORDERS.test', 'orders.test.', 'orders.test:8080']) {
    const client = await connectRaw(world)
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    t.equal((await client.response()).status, 502, host)
    client.destroy()
  }
})

void t.test('a reload keeps the connections to the back end', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const parts = openShop(`http://${origin.authority}`)
  const world = await startInbound(t, parts)
  const client = await connectRaw(world)
  for (let count = 0; count < 4; count++) {
    client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
    t.equal((await client.response()).status, 200)
    await world.reload({ ...parts, egress: { ports: [80 + count] } })
  }
  t.equal(origin.accepted(), 1)
  client.destroy()
})
