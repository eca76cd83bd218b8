import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { KiB, MiB } from '../../src/units.ts'
import { createAuthority } from '../support/certificates.ts'
import { closedShop, openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { connectRaw, type RawClientOptions } from '../support/raw-client.ts'
import { laneUnderTest } from '../support/settings-parts.ts'

setFlagsFromString('--expose-gc')
const gc: unknown = runInNewContext('gc')

function heapBytes(): number {
  if (typeof gc === 'function') gc()
  return process.memoryUsage().heapUsed
}

const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'
const request = Buffer.from(get.repeat(1000))
/** Refused by every listener, whatever its back end does. */
const ambiguous = 'GET / HTTP/1.1\r\nHost: orders.test\r\nHost: orders.test\r\n\r\n'
const handful = Buffer.from(get.repeat(20))

interface Flood {
  readonly bytes: Buffer
  /** Between two writes. */
  readonly pauseMs: number
  /** Ends it. */
  readonly signal: AbortSignal
}

/** A client that sends request after request and reads nothing, until it is told to end or cannot go on. */
async function flood(client: Duplex, { bytes, pauseMs, signal }: Flood): Promise<void> {
  client.pause()
  while (!signal.aborted && !client.destroyed) {
    const taken = client.write(bytes)
    await new Promise<void>((resolve) => {
      if (taken) {
        setTimeout(resolve, pauseMs)
        return
      }
      client.once('drain', resolve)
      client.once('close', resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

/** As many others as are answered one after the other while it goes on: nobody is held up by it. */
const othersMeanwhile = 100

async function isAnswered(options: RawClientOptions): Promise<boolean> {
  const client = await connectRaw(options)
  client.send(ambiguous)
  const { status } = await client.response()
  client.destroy()
  return status === 400
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
    first: ambiguous,
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
        const to = isSecure ? { port, tls: asOrders } : { port }
        const client = await connectRaw(to)
        if (first !== undefined) client.send(first)
        const before = heapBytes()
        const ending = new AbortController()
        const flooding = flood(client.stream, { ...pace, signal: ending.signal })
        for (let other = 0; other < othersMeanwhile; other++) t.ok(await isAnswered(to))
        ending.abort()
        await flooding
        const grown = heapBytes() - before
        t.ok(grown < 16 * MiB, `${Math.round(grown / MiB)} MiB more`)
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
