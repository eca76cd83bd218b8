import { once } from 'node:events'
import { connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { KiB, MiB } from '../../src/units.ts'
import { createAuthority } from '../support/certificates.ts'
import { closedShop, openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { laneUnderTest } from '../support/settings-parts.ts'

setFlagsFromString('--expose-gc')
const gc: unknown = runInNewContext('gc')

function heapBytes(): number {
  if (typeof gc === 'function') gc()
  return process.memoryUsage().heapUsed
}

const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'
const request = Buffer.from(get.repeat(1000))
const handful = Buffer.from(get.repeat(20))

interface Flood {
  readonly bytes: Buffer
  readonly forMs: number
  /** Between two writes. */
  readonly pauseMs: number
}

/** A client that sends request after request and reads nothing, until its time is over or it cannot go on. */
async function flood(client: Duplex, { bytes, forMs, pauseMs }: Flood): Promise<void> {
  client.pause()
  const until = performance.now() + forMs
  while (performance.now() < until && !client.destroyed) {
    const taken = client.write(bytes)
    await new Promise<void>((resolve) => {
      if (taken) {
        setTimeout(resolve, pauseMs)
        return
      }
      client.once('drain', resolve)
      client.once('close', resolve)
      setTimeout(resolve, until - performance.now())
    })
  }
}

/** The longest time that the event loop let nobody else in, in milliseconds, until `stop`. */
function watchLoop(): { stop(): number } {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  return {
    stop() {
      delay.disable()
      return delay.max / 1e6
    },
  }
}

async function hangingShop(t: Test): Promise<ReturnType<typeof openShop>> {
  const origin = await startRawOrigin({ onData: () => {} })
  t.teardown(() => origin.close())
  return openShop(`http://${origin.authority}`, { timeouts: { bodyIdleMs: 1000 } })
}

async function answeringShop(t: Test): Promise<ReturnType<typeof openShop>> {
  const body = Buffer.alloc(64 * KiB)
  const origin = await startOrigin((_, response) => void response.end(body))
  t.teardown(() => origin.close())
  return openShop(origin.url)
}

const worlds: readonly {
  readonly note: string
  readonly parts: (t: Test) => Promise<ReturnType<typeof openShop>>
  /** Sent before the others. */
  readonly first?: string
}[] = [
  { note: 'of a denied caller', parts: async () => closedShop('http://127.0.0.1:9') },
  { note: 'behind a back end that does not answer', parts: hangingShop },
  { note: 'behind one that answers at once', parts: answeringShop },
  {
    note: 'for a host that nobody knows',
    parts: async () => ({ ...openShop('http://127.0.0.1:9'), resources: [] }),
  },
  {
    note: 'behind one that ends the connection',
    parts: async () => closedShop('http://127.0.0.1:9'),
    first: 'GET / HTTP/1.1\r\nHost: orders.test\r\nHost: orders.test\r\n\r\n',
  },
]

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const inbound = [
  { name: 'public', tls: { certificateFile: shown.certificateFile, keyFile: shown.keyFile } },
]
const asOrders = { ca: authority.ca, servername: 'orders.test' }

const paces = [
  { note: 'without end', bytes: request, pauseMs: 0 },
  { note: 'a few at a time', bytes: handful, pauseMs: 1 },
]

for (const { note, parts, first } of worlds) {
  for (const pace of paces) {
    for (const over of ['TCP', 'TLS']) {
      void t.test(`requests ${note}, ${pace.note}, take no memory over ${over}`, async (t) => {
        const given = await parts(t)
        const isSecure = over === 'TLS'
        const world = isSecure
          ? await startInbound(t, { ...given, inbound }, { pem: shown })
          : await startInbound(t, given)
        const { port } = world
        const client = await connectRaw(isSecure ? { port, tls: asOrders } : { port })
        if (first !== undefined) client.send(first)
        const before = heapBytes()
        const loop = watchLoop()
        await flood(client.stream, { ...pace, forMs: 700 })
        const heldUpMs = loop.stop()
        const grown = heapBytes() - before
        t.ok(grown < 16 * MiB, `${Math.round(grown / MiB)} MiB more`)
        t.ok(heldUpMs < 500, `the loop was held up for ${Math.round(heldUpMs)} ms`)
        client.destroy()
        await world.quiet()
      })
    }
  }
}

// Node's parser cannot be held back; the relay leaves in the kernel what it does not read.
if (laneUnderTest === 'library') {
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
}

void t.test('a CONNECT behind requests in flight is answered in its turn', async (t) => {
  const body = 'x'.repeat(8 * MiB)
  const origin = await startOrigin((request, response) => {
    if (request.url === '/large') response.end(body)
    else response.end('small')
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  for (const paths of [['/'], ['/large'], ['/large', '/', '/large']]) {
    world.forget()
    const client = await connectRaw(world)
    const gets = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: orders.test\r\n\r\n`)
    client.send(`${gets.join('')}CONNECT x.test:443 HTTP/1.1\r\nHost: x.test\r\n\r\nmore`)
    for (const path of paths) {
      const response = await client.response()
      t.equal(response.status, 200)
      t.equal(response.body.length, path === '/large' ? body.length : 5)
    }
    t.equal((await client.response()).status, 400)
    t.same(await client.rest(), { text: '', how: 'end' })
    client.destroy()
    await world.quiet()
    t.match(
      world.records.map(({ operationName, decision, end }) => [
        operationName,
        end?.closeReason ?? decision.reason,
      ]),
      [...paths.map(() => ['GET', 'access-rule']), ['CONNECT', 'bad-request']],
    )
    t.same(world.complaints, [])
  }
})

void t.test('a CONNECT behind one that is never answered waits as long as that may', async (t) => {
  const world = await startInbound(t, {
    ...(await hangingShop(t)),
    timeouts: { bodyIdleMs: 300 },
  })
  const client = await connectRaw(world)
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  client.send('CONNECT x.test:443 HTTP/1.1\r\nHost: x.test\r\n\r\n')
  t.equal((await client.response()).status, 504)
  t.equal((await client.response()).status, 400)
  t.same(await client.rest(), { text: '', how: 'end' })
  client.destroy()
  await world.quiet()
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
