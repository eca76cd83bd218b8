import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { connectRaw } from '../support/raw-client.ts'
import {
  eventually,
  type LogRecord,
  startInProcess,
  type TestInstance,
} from '../support/ringfence.ts'
import { laneUnderTest } from '../support/settings-parts.ts'
import { writeShop } from '../support/shop.ts'
import { upgradeRequest } from '../support/web-socket.ts'

/**
 * A back end that leads back here, by way of something that settings do not show (a load balancer, another instance):
 * the request ends as `loop` where it comes round, and costs one turn.
 */

/** Moves bytes, like a load balancer, to a port that is known only later. */
interface Balancer {
  readonly port: number
  target: number
  readonly accepted: () => number
}

async function startBalancer(t: Test): Promise<Balancer> {
  let accepted = 0
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted++
    const onward = connect({ port: balancer.target, host: '127.0.0.1', allowHalfOpen: true })
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      open.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => open.delete(from))
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo
  const balancer = { port, target: 0, accepted: () => accepted }
  return balancer
}

async function startBehind(t: Test, backendPort: number, settings = {}): Promise<TestInstance> {
  const lane = laneUnderTest
  const timeouts = { drainMs: 100 }
  const shop = await writeShop(t, { backendPort, settings: { lane, timeouts, ...settings } })
  return startInProcess(t, shop)
}

function reasonsOf(records: readonly LogRecord[]): readonly string[] {
  return records
    .filter(({ properties }) => properties.closeReason === undefined)
    .map(({ properties }) => properties.reason)
}

const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'
const requests = [
  { note: 'a request', bytes: get },
  {
    note: 'one whose Via is named in Connection',
    bytes: get.replace('\r\n\r\n', '\r\nConnection: via\r\n\r\n'),
  },
  { note: 'an upgrade', bytes: upgradeRequest('orders.test') },
]

void t.test('A back end that leads back to its own listener is a loop', async (t) => {
  for (const workers of [1, 2]) {
    for (const { note, bytes } of requests) {
      await t.test(`${note}, workers: ${workers}`, async (t) => {
        const balancer = await startBalancer(t)
        const instance = await startBehind(t, balancer.port, { workers })
        balancer.target = instance.port('public')
        const client = await connectRaw({ port: balancer.target })
        client.send(bytes)
        const { status, body } = await client.response()
        client.destroy()
        t.equal(status, 508)
        t.match(body, /"reason":"loop"/)
        const records = await eventually(
          () => instance.records(),
          (seen) => reasonsOf(seen).length >= 2,
        )
        t.same(reasonsOf(records).toSorted(), ['access-rule', 'loop'])
        t.equal(balancer.accepted(), 1, 'one turn')
      })
    }
  }
})

void t.test('Two instances that lead to each other are a loop', async (t) => {
  for (const { note, bytes } of requests) {
    await t.test(note, async (t) => {
      const toFirst = await startBalancer(t)
      const toSecond = await startBalancer(t)
      const first = await startBehind(t, toSecond.port)
      const second = await startBehind(t, toFirst.port)
      toFirst.target = first.port('public')
      toSecond.target = second.port('public')
      const client = await connectRaw({ port: toFirst.target })
      client.send(bytes)
      t.equal((await client.response()).status, 508)
      client.destroy()
      const records = await eventually(
        () => first.records(),
        (seen) => reasonsOf(seen).length >= 2,
      )
      t.same(reasonsOf(records).toSorted(), ['access-rule', 'loop'])
      const others = await eventually(
        () => second.records(),
        (seen) => seen.length > 0,
      )
      t.same(reasonsOf(others), ['access-rule'])
    })
  }
})

void t.test('A chain of instances is none', async (t) => {
  const origin = await startBalancer(t)
  const last = await startBehind(t, 1)
  const first = await startBehind(t, origin.port)
  origin.target = last.port('public')
  const client = await connectRaw({ port: first.port('public') })
  client.send(get)
  t.equal((await client.response()).status, 502, 'the last of them has nothing behind it')
  client.destroy()
  t.same(
    reasonsOf(
      await eventually(
        () => last.records(),
        (seen) => seen.length > 0,
      ),
    ),
    ['access-rule'],
  )
})

void t.test('A TCP back end that is its own listener is not dialled', async (t) => {
  for (const workers of [1, 2]) {
    await t.test(`workers: ${workers}`, async (t) => {
      const listen = { host: '0.0.0.0', port: 0 }
      const behind = (port: number): object => ({
        workers,
        timeouts: { drainMs: 100 },
        resources: [{ id: 'orders', backend: `tcp://localhost:${port}` }, { id: 'vault' }],
        inbound: [{ name: 'public', listen, resource: 'orders' }],
      })
      const shop = await writeShop(t, { backendPort: 1, settings: behind(1) })
      const instance = await startInProcess(t, shop)
      await shop.setSettings(behind(instance.port('public')))
      t.equal((await instance.running.reload('test')).kind, 'reloaded')
      const client = await connectRaw({ port: instance.port('public') })
      t.same(await client.rest(), { text: '', how: 'end' })
      client.destroy()
      const ends = await eventually(
        () => instance.records(),
        (seen) => seen.length >= 2,
      )
      t.same(
        ends.map(({ properties }) => properties.closeReason),
        [undefined, 'loop'],
      )
    })
  }
})
