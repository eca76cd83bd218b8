import t from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { upgradeRequest } from '../support/web-socket.ts'
import { connectRaw } from '../support/raw-client.ts'

const host = 'Host: orders.test\r\n'

void t.test('one connection too many is answered with 503, and room is made again', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { limits: { connections: 1 } }))
  const first = await connectRaw(world)
  first.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await first.response()).status, 200)
  const second = await connectRaw(world)
  second.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  const refused = await second.response()
  t.equal(refused.status, 503)
  t.equal(refused.header('retry-after'), '1')
  t.match(world.records.at(-1), { decision: { reason: 'limit' }, detail: 'too many connections' })
  t.equal((await second.rest()).text, '')
  second.destroy()
  first.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await first.response()).status, 200, 'the first goes on')
  first.destroy()
  await world.quiet()
  const third = await connectRaw(world)
  third.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await third.response()).status, 200)
  third.destroy()
})

void t.test('a head of too many bytes is a 431', async (t) => {
  const world = await startInbound(
    t,
    openShop('http://127.0.0.1:1', { limits: { headerBytes: 2000 } }),
  )
  for (const bytes of [
    `GET /${'a'.repeat(3000)} HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.1\r\n${host}X-Long: ${'a'.repeat(3000)}\r\n\r\n`,
  ]) {
    const client = await connectRaw(world)
    client.send(bytes)
    t.equal((await client.response()).status, 431)
    t.equal((await client.rest()).text, '')
  }
  t.match(world.records, [
    { detail: 'too many header bytes or lines' },
    { detail: 'too many header bytes or lines' },
  ])
})

void t.test('a head of too many lines is a 431', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { limits: { headerCount: 10 } }))
  const ask = async (fields: number) => {
    const client = await connectRaw(world)
    client.send(`GET / HTTP/1.1\r\n${host}${'X-A: 1\r\n'.repeat(fields)}\r\n`)
    const { status } = await client.response()
    client.destroy()
    return status
  }
  t.equal(await ask(9), 200)
  t.equal(await ask(10), 431)
  t.match(world.records.at(-1), {
    decision: { reason: 'bad-request' },
    detail: 'too many header lines',
  })
  t.equal(await ask(500), 431, 'so many that Node would not hand them over')
})

void t.test('of a head with more lines than a connection began with, none is lost', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const trusting = { inbound: [{ name: 'public', trustedProxies: ['127.0.0.1/32'] }] }
  const limited = (headerCount: number) =>
    openShop(origin.url, { ...trusting, limits: { headerCount } })
  const world = await startInbound(t, limited(5))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}X-Forwarded-For: 127.0.0.1\r\n\r\n`)
  t.equal((await client.response()).status, 200)
  await world.reload(limited(50))
  client.send(
    `GET / HTTP/1.1\r\n${host}${'X-A: 1\r\n'.repeat(20)}X-Forwarded-For: 203.0.113.66\r\n\r\n`,
  )
  t.equal((await client.response()).status, 403, 'the last line counts')
  client.destroy()
})

void t.test('limits follow a reload', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  await world.reload(openShop(origin.url, { limits: { headerBytes: 1000 } }))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}X-Long: ${'a'.repeat(2000)}\r\n\r\n`)
  t.equal((await client.response()).status, 431)
  client.destroy()
})

void t.test('far too many connections are dropped, and the log says how many', async (t) => {
  const world = await startInbound(
    t,
    openShop('http://127.0.0.1:1', { limits: { connections: 0 } }),
  )
  const held = await Promise.all(Array.from({ length: 256 }, async () => connectRaw(world)))
  for (let extra = 0; extra < 2; extra++) {
    const client = await connectRaw(world)
    t.equal((await client.rest()).text, '')
  }
  held[0]?.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await held[0]?.response())?.status, 503, 'those before them are answered')
  while (world.complaints.length === 0) await wait(50)
  t.equal(world.complaints.length, 1)
  for (const client of held) client.destroy()
})

void t.test('a slot that another thread takes first is none', async (t) => {
  const released: string[] = []
  const world = await startInbound(t, openShop('http://127.0.0.1:1'), {
    // As with counts that threads share: there seems to be room until it is taken.
    slots: { taken: () => 0, take: () => false, release: (resource) => released.push(resource) },
  })
  const client = await connectRaw(world)
  client.send(upgradeRequest('orders.test'))
  t.equal((await client.response()).status, 503)
  client.destroy()
  await world.quiet()
  t.match(world.records, [{ decision: { effect: 'deny', reason: 'limit' } }])
  t.same(released, [], 'what was not taken is not given back')
})
