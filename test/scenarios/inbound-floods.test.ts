import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { MiB, seconds } from '../../src/units.ts'
import { closedShop, type InboundWorld, openShop, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'

setFlagsFromString('--expose-gc')
const gc: unknown = runInNewContext('gc')

function heapBytes(): number {
  if (typeof gc === 'function') gc()
  return process.memoryUsage().heapUsed
}

const request = Buffer.from('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'.repeat(1000))

/** A client that sends request after request and reads nothing; resolves when it is told to stop or cannot go on. */
async function flood(world: InboundWorld, forMs: number): Promise<Socket> {
  const client = connect({ port: world.port, host: '127.0.0.1' })
  client.on('error', () => {})
  client.pause()
  await once(client, 'connect')
  const until = performance.now() + forMs
  while (performance.now() < until && !client.destroyed) {
    const taken = client.write(request)
    await new Promise<void>((resolve) => {
      if (taken) setImmediate(resolve)
      else {
        client.once('drain', resolve)
        client.once('close', resolve)
        setTimeout(resolve, until - performance.now())
      }
    })
  }
  return client
}

async function hangingShop(t: Test): Promise<ReturnType<typeof openShop>> {
  const origin = await startRawOrigin({ onData: () => {} })
  t.teardown(() => origin.close())
  return openShop(`http://${origin.authority}`)
}

const worlds = [
  { note: 'of a denied caller', parts: async () => closedShop('http://127.0.0.1:9') },
  { note: 'behind a back end that does not answer', parts: hangingShop },
  {
    note: 'for a host that nobody knows',
    parts: async () => ({ ...openShop('http://127.0.0.1:9'), resources: [] }),
  },
]

for (const { note, parts } of worlds) {
  void t.test(`a flood of requests ${note} takes no memory`, async (t) => {
    const world = await startInbound(t, await parts(t))
    const before = heapBytes()
    const client = await flood(world, seconds(1.5))
    const grown = heapBytes() - before
    t.ok(grown < 24 * MiB, `${Math.round(grown / MiB)} MiB more`)
    client.destroy()
    await world.quiet()
  })
}

void t.test('one that pipelines far too many gets a record of the limit', async (t) => {
  const world = await startInbound(t, await hangingShop(t))
  const client = connect({ port: world.port, host: '127.0.0.1' })
  client.on('error', () => {})
  client.resume()
  const closing = new Promise((resolve) => client.once('close', resolve))
  await once(client, 'connect')
  client.write(request)
  await closing
  await world.quiet()
  t.match(world.records.filter(({ decision }) => decision.reason === 'limit').length, 1)
  t.match(world.records.find(({ end }) => end !== undefined)?.end?.closeReason, 'client-invalid')
})

void t.test('a CONNECT behind a request in flight is recorded and ends both', async (t) => {
  const world = await startInbound(t, await hangingShop(t))
  const client = connect({ port: world.port, host: '127.0.0.1' })
  client.on('error', () => {})
  client.resume()
  const closing = new Promise((resolve) => client.once('close', resolve))
  await once(client, 'connect')
  const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'
  client.write(`${get}CONNECT x.test:443 HTTP/1.1\r\nHost: x.test\r\n\r\n`)
  await closing
  await world.quiet()
  t.match(
    world.records.map(({ operationName, decision, end }) => [
      operationName,
      end?.closeReason ?? decision.reason,
    ]),
    [
      ['GET', 'access-rule'],
      ['CONNECT', 'bad-request'],
      ['GET', 'client-invalid'],
    ],
  )
})

void t.test('a client that leaves in the middle of its upload has left', async (t) => {
  const world = await startInbound(t, await hangingShop(t))
  const client = connect({ port: world.port, host: '127.0.0.1' })
  client.on('error', () => {})
  client.resume()
  const closing = new Promise((resolve) => client.once('close', resolve))
  await once(client, 'connect')
  client.end('POST / HTTP/1.1\r\nHost: orders.test\r\nContent-Length: 100\r\n\r\nsome')
  await closing
  await world.quiet()
  t.equal((await world.record(({ end }) => end !== undefined)).end?.closeReason, 'client-closed')
})
