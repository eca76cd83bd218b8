import t, { type Test } from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { KiB, MiB } from '../../src/units.ts'
import { http2ErrorCode } from '../../src/wire/http2-error-code.ts'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2 } from '../support/http2-client.ts'
import {
  codeOf,
  connectFrames,
  dataFrame,
  endHeaders,
  endStream,
  fieldBlock,
  type FrameClient,
  frameOf,
  headersFrame,
  requestFields,
  resetFrame,
  setting,
} from '../support/http2-frames.ts'
import { type InboundWorld, openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'

/**
 * Floods of HTTP/2, frame by frame: what one client sends without end costs no memory, ends sooner or later, and keeps
 * nobody else on the listener waiting.
 */

setFlagsFromString('--expose-gc')
const gc: unknown = runInNewContext('gc')

/** What a collection frees outside the heap is given back a little later. */
async function heapBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let look = 0; look < 3; look++) {
    if (typeof gc === 'function') gc()
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
    await wait(30)
  }
  return least
}

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
const inbound = [{ name: 'public', tls }]
const asOrders = { ca: authority.ca, servername: 'orders.test' }

const maxMs = 6000

interface Flood {
  readonly note: string
  /** Sent first. */
  readonly first?: readonly Buffer[]
  /** Then these without end; `id` is the next stream's, `stride` how many are used. */
  readonly next: (id: number) => readonly Buffer[]
  readonly stride: number
  /** Frames that it is told before it is cut off, one of these; none: it is only held. */
  readonly codes: readonly number[]
  /** The detail of its record, where it has one. */
  readonly detail?: string
  /** Settings of the client. */
  readonly settings?: Buffer
  /** Requests of it that may reach the back end. */
  readonly most: number
  readonly isDeaf?: boolean
}

const calm = http2ErrorCode.enhanceYourCalm
const protocol = http2ErrorCode.protocolError
const internal = http2ErrorCode.internalError
const many = 50

function repeat(count: number, frames: (index: number) => readonly Buffer[]): Buffer[] {
  return Array.from({ length: count }, (_, index) => frames(index)).flat()
}

const floods: readonly Flood[] = [
  {
    note: 'streams that are reset at once (CVE-2023-44487)',
    next: (id) =>
      repeat(many, (index) => [
        headersFrame(id + 2 * index, requestFields('/wait')),
        resetFrame(id + 2 * index, http2ErrorCode.cancel),
      ]),
    stride: many,
    codes: [calm],
    detail: 'too many streams given up',
    most: 500,
  },
  {
    note: 'streams that we are made to reset (CVE-2025-8671)',
    next: (id) =>
      repeat(many, (index) => [
        headersFrame(id + 2 * index, requestFields('/wait')),
        frameOf('WINDOW_UPDATE', { stream: id + 2 * index, payload: Buffer.alloc(4) }),
      ]),
    stride: many,
    codes: [calm, protocol, internal],
    most: 500,
  },
  {
    note: 'a head that never ends (CVE-2024-27983)',
    first: [headersFrame(1, requestFields('/wait'), endStream)],
    next: () =>
      repeat(many, () => [
        frameOf('CONTINUATION', { stream: 1, payload: fieldBlock([['x', 'a'.repeat(100)]]) }),
      ]),
    stride: 0,
    codes: [calm, protocol, internal],
    detail: 'not valid HTTP/2',
    most: 0,
  },
  {
    note: 'a head that never ends, of empty frames',
    first: [headersFrame(1, requestFields('/wait'), endStream)],
    next: () => repeat(many, () => [frameOf('CONTINUATION', { stream: 1 })]),
    stride: 0,
    codes: [calm, protocol, internal],
    detail: 'not valid HTTP/2',
    most: 0,
  },
  {
    note: 'SETTINGS (CVE-2019-9515)',
    next: () => repeat(many, () => [frameOf('SETTINGS', { payload: setting(3, 7) })]),
    stride: 0,
    codes: [calm],
    detail: 'too many HTTP/2 control frames',
    most: 0,
  },
  {
    note: 'SETTINGS, and nothing is read',
    next: () => repeat(many, () => [frameOf('SETTINGS')]),
    stride: 0,
    codes: [],
    most: 0,
    isDeaf: true,
  },
  {
    note: 'PING (CVE-2019-9512)',
    next: () => repeat(many, () => [frameOf('PING', { payload: Buffer.alloc(8) })]),
    stride: 0,
    codes: [calm],
    detail: 'too many HTTP/2 control frames',
    most: 0,
  },
  {
    note: 'PING, and nothing is read',
    next: () => repeat(many, () => [frameOf('PING', { payload: Buffer.alloc(8) })]),
    stride: 0,
    codes: [],
    most: 0,
    isDeaf: true,
  },
  {
    note: 'a field of the dynamic table a thousand times (HPACK bomb)',
    // Literal with incremental indexing, then its index again and again: 4 MiB of fields in 1 KiB.
    next: (id) => {
      const field = fieldBlock([['x', 'a'.repeat(3900)]])
      field[0] = 0x40
      const payload = Buffer.concat([
        fieldBlock(requestFields('/wait')),
        field,
        Buffer.alloc(1000, 0xbe),
      ])
      return [frameOf('HEADERS', { stream: id, flags: endStream | endHeaders, payload })]
    },
    stride: 1,
    codes: [],
    most: 0,
  },
  {
    note: 'empty DATA (CVE-2019-9518)',
    first: [headersFrame(1, requestFields('/wait', [], 'POST'), endHeaders)],
    next: () => repeat(many, () => [dataFrame(1, '')]),
    stride: 0,
    codes: [calm, protocol, internal],
    detail: 'not valid HTTP/2',
    most: 1,
  },
  {
    note: 'heads that are malformed',
    next: (id) =>
      repeat(many, (index) => [
        headersFrame(id + 2 * index, [...requestFields('/wait'), ['X', '1']]),
      ]),
    stride: many,
    codes: [],
    most: 0,
  },
  {
    note: 'PRIORITY and frames that nobody knows',
    next: () =>
      repeat(many, () => [
        frameOf('PRIORITY', { stream: 1, payload: Buffer.from([0, 0, 0, 3, 1]) }),
        Buffer.from([0, 0, 0, 0xfa, 0, 0, 0, 0, 0]),
      ]),
    stride: 0,
    codes: [],
    most: 0,
  },
  {
    note: 'windows that are opened by one byte',
    first: [headersFrame(1, requestFields('/large'))],
    settings: setting(4, 0),
    next: () =>
      repeat(many, () => [
        frameOf('WINDOW_UPDATE', { stream: 1, payload: Buffer.from([0, 0, 0, 1]) }),
      ]),
    stride: 0,
    codes: [],
    most: 1,
  },
]

for (const flood of floods) {
  void t.test(flood.note, async (t) => {
    const { world, large } = await start(t)
    const before = await heapBytes()
    const client = await connectFrames({
      ...world,
      ...asOrders,
      ...(flood.settings === undefined ? {} : { settings: flood.settings }),
    })
    if (flood.isDeaf === true) client.socket.pause()
    if (flood.first !== undefined) client.send(...flood.first)
    const others = askMeanwhile(world)
    const sent = await pour(client, flood)
    const slowest = await others.stop()
    if (flood.isDeaf === true) client.socket.resume()
    if (flood.codes.length > 0) {
      const last = await client.frame(({ type }) => type === 'GOAWAY')
      // Where much is on its way that nobody reads, the kernel's reset may overtake it.
      const code = codeOf(last)
      t.ok(code === undefined || flood.codes.includes(code), `ended with ${code}`)
      await client.closed()
    }
    const grown = (await heapBytes()) - before
    t.ok(grown < 12 * MiB, `${(grown / MiB).toFixed(1)} MiB for ${(sent / MiB).toFixed(1)} MiB`)
    t.ok(slowest < 1500, `others waited ${slowest.toFixed()} ms`)
    t.ok(large() <= flood.most, `${large()} requests`)
    client.destroy()
    await world.quiet()
    t.equal(world.openConnections.size, 0)
    if (flood.detail !== undefined) {
      const refused = world.records.filter(({ detail }) => detail !== undefined)
      t.strictSame(
        refused.map(({ detail }) => detail),
        [flood.detail],
      )
      t.ok(world.records.length < 2000, 'no more records than requests that were begun')
    }
    t.strictSame(world.complaints, [])
  })
}

void t.test('answers for which there is no window take no more than their share', async (t) => {
  const { world } = await start(t, { bodyIdleMs: 700 })
  const before = await heapBytes()
  const client = await connectFrames({ ...world, ...asOrders, settings: setting(4, 0) })
  for (let id = 1; id < 200; id += 2) client.send(headersFrame(id, requestFields('/large')))
  while (world.records.length < 100) await wait(10)
  await wait(200)
  const grown = (await heapBytes()) - before
  t.ok(grown < 100 * 400 * KiB, `${(grown / MiB).toFixed(1)} MiB for 100 answers of 4 MiB`)
  while (world.proxy.open > 0) await wait(20)
  const reasons = world.records.flatMap(({ end }) => (end === undefined ? [] : [end.closeReason]))
  t.equal(reasons.length, 100, 'and are given up')
  t.strictSame(
    reasons.filter((reason) => reason !== 'body-idle-timeout' && reason !== 'backend-timeout'),
    [],
  )
  client.destroy()
})

async function start(
  t: Test,
  timeouts = {},
): Promise<{ world: InboundWorld; large: () => number }> {
  const body = Buffer.alloc(4 * MiB)
  let asked = 0
  const origin = await startOrigin((request, response) => {
    if (request.url === '/ok') {
      response.end('ok')
      return
    }
    asked++
    request.resume()
    if (request.url === '/large') response.end(body)
  })
  t.teardown(() => origin.close())
  const parts = openShop(origin.url, { inbound, timeouts })
  return { world: await startInbound(t, parts, { pem: shown }), large: () => asked }
}

/** Sends until it is cut off, or its time is over; how many bytes. */
async function pour(client: FrameClient, { next, stride, codes }: Flood): Promise<number> {
  const { socket } = client
  let id = 3
  let sent = 0
  const until = performance.now() + (codes.length > 0 ? maxMs : 1000)
  while (performance.now() < until && !socket.destroyed && sent < 64 * MiB) {
    const bytes = Buffer.concat([...next(id)])
    id += 2 * stride
    sent += bytes.length
    if (socket.write(bytes)) await new Promise((resolve) => setImmediate(resolve))
    else await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), wait(50)])
  }
  return sent
}

/** Somebody else on the same listener, one request after the other. */
function askMeanwhile(world: InboundWorld): { stop(): Promise<number> } {
  let isStopped = false
  const asking = (async () => {
    const client = await connectHttp2({ ...world, ...asOrders })
    let slowest = 0
    while (!isStopped) {
      const from = performance.now()
      const { status } = await client.exchange('/ok')
      if (status !== 200) throw new Error(`somebody else got ${status}`)
      slowest = Math.max(slowest, performance.now() - from)
      await wait(10)
    }
    client.destroy()
    return slowest
  })()
  return {
    stop: async () => {
      isStopped = true
      return asking
    },
  }
}

void t.test('a connection that ends with very many streams open is no flood', async (t) => {
  const origin = await startOrigin(() => {})
  t.teardown(() => origin.close())
  const parts = openShop(origin.url, { inbound, limits: { concurrentStreams: 1000 } })
  const world = await startInbound(t, parts, { pem: shown })
  const client = await connectFrames({ ...world, ...asOrders })
  await client.frame(({ type, flags }) => type === 'SETTINGS' && flags === 0)
  client.send(frameOf('SETTINGS', { flags: 1 }))
  for (let id = 1; id < 1200; id += 2) client.send(headersFrame(id, requestFields('/wait')))
  while (world.records.length < 600) await wait(10)
  client.destroy()
  await world.quiet()
  t.equal(world.records.filter(({ end }) => end?.closeReason === 'client-closed').length, 600)
  t.notOk(world.records.some(({ detail }) => detail !== undefined))
})
