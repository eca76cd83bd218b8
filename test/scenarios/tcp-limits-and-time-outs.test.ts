import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { answeredBeyondLimit } from '../../src/transport/dropped.ts'
import { openBank, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { hostname, resourceId } from '../support/settings-parts.ts'

type Test = Parameters<typeof startInbound>[0]

async function startEcho(t: Test) {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('heard\n') })
  t.teardown(() => origin.close())
  return origin
}

void t.test('one too many is closed with a record, and room is made again', async (t) => {
  const cases = [
    { note: 'of the listener', limits: { connections: 1 }, detail: 'too many connections' },
    { note: 'of the resource', limits: { tunnelsPerResource: 1 }, detail: undefined },
  ] as const
  for (const { note, limits, detail } of cases) {
    await t.test(note, async (t) => {
      const origin = await startEcho(t)
      const world = await startInbound(t, openBank(origin.port, { limits }))
      const first = await connectRaw(world)
      first.send('x')
      await first.until('\n')
      const second = await connectRaw(world)
      second.send('x')
      t.same(await second.rest(), { text: '', how: 'end' })
      second.end()
      t.match(world.records.at(-1), { decision: { effect: 'deny', reason: 'limit' }, detail })
      t.equal(origin.accepted(), 1)
      first.send('x')
      t.equal(await first.until('\n'), 'heard\n', 'the first goes on')
      first.end()
      await first.rest()
      await world.quiet()
      const third = await connectRaw(world)
      third.send('x')
      t.equal(await third.until('\n'), 'heard\n')
      third.destroy()
    })
  }
})

void t.test(
  'of far too many the last are dropped without a record, and somebody is told',
  async (t) => {
    const world = await startInbound(t, openBank(1, { office: [], limits: { connections: 1 } }))
    const clients: Socket[] = []
    t.teardown(() => {
      for (const client of clients) client.destroy()
    })
    // None of them ends, so all that are told so still count.
    for (let count = 0; count < answeredBeyondLimit + 20; count++) {
      const client = connect({ port: world.port, host: '127.0.0.1', allowHalfOpen: true })
      client.on('error', () => {})
      client.resume()
      clients.push(client)
      await once(client, 'connect')
    }
    await Promise.all(clients.map(async (client) => client.readableEnded || once(client, 'end')))
    t.equal(world.records.length, answeredBeyondLimit + 1)
    while (world.complaints.length === 0) await new Promise((resolve) => setTimeout(resolve, 50))
    t.match(world.complaints, [/connections were dropped/])
  },
)

void t.test('silence and age end a connection', async (t) => {
  const cases = [
    { closeReason: 'tunnel-idle-timeout', timeouts: { tunnelIdleMs: 200 } },
    { closeReason: 'tunnel-lifetime', timeouts: { tunnelLifetimeMs: 200 } },
  ] as const
  for (const { closeReason, timeouts } of cases) {
    const origin = await startEcho(t)
    const world = await startInbound(t, openBank(origin.port, { timeouts }))
    const client = await connectRaw(world)
    client.send('x')
    await client.until('\n')
    t.equal((await client.rest()).how, 'reset')
    await world.quiet()
    t.match(world.records.at(-1)?.end, { bytesIn: 1, bytesOut: 6, closeReason })
    t.equal(origin.sockets.size, 0)
  }
})

void t.test('draining lets go on what is open and takes nobody else', async (t) => {
  const origin = await startEcho(t)
  const world = await startInbound(t, openBank(origin.port))
  const client = await connectRaw(world)
  client.send('x')
  await client.until('\n')

  world.proxy.stopAccepting()
  world.proxy.stopAccepting()

  const refused = connect(world.port, '127.0.0.1')
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED')
  client.send('y')
  t.equal(await client.until('\n'), 'heard\n')
  t.equal(world.proxy.open, 1)
  client.end()
  await client.rest()
  await world.quiet()
  t.equal(world.proxy.open, 0)
  await world.proxy.close()
})

void t.test(
  'closing cuts off what is left, and its end line is there before it is closed',
  async (t) => {
    const origin = await startEcho(t)
    const world = await startInbound(t, openBank(origin.port))
    const client = await connectRaw(world)
    client.send('x')
    await client.until('\n')
    await world.proxy.close()
    t.match(world.records.at(-1)?.end, { bytesIn: 1, bytesOut: 6, closeReason: 'drain-timeout' })
    t.equal((await client.rest()).how, 'reset')
    t.equal(world.metered(), 0)
    t.equal(world.proxy.open, 0)

    const late = world.proxy.deliver({
      source: resourceId('orders'),
      name: hostname('ledger.test'),
      port: world.port,
      correlationId: 'late',
      peer: undefined,
      peerPort: undefined,
    })
    t.equal(late.destroyed, true, 'nothing is delivered any more')
    t.equal(world.metered(), 0)
  },
)

void t.test('a listener that settings do not name does not start', async (t) => {
  const world = await startInbound(t, openBank(1))
  await world.proxy.close()
  world.inForce.swap(openBank(1, { inbound: [] }))
  await t.rejects(world.proxy.listen(), { code: 'RF_LISTEN' })
})
