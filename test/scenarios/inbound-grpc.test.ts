import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { ClientHttp2Stream, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { http2ErrorCode } from '../../src/wire/http2-error-code.ts'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2, type Http2Client, responseOf } from '../support/http2-client.ts'
import {
  codeOf,
  connectFrames,
  dataFrame,
  endHeaders,
  endStream,
  type FrameClient,
  headersFrame,
  requestFields,
  resetFrame,
} from '../support/http2-frames.ts'
import { type Http2Origin, startHttp2Origin } from '../support/http2-origin.ts'
import { type InboundWorld, openShop, startInbound } from '../support/inbound-world.ts'
import { answerRaw, startOrigin, startRawOrigin } from '../support/origin.ts'

/** Calls in the shape of gRPC (its "PROTOCOL-HTTP2"): length-prefixed messages, and a status in trailers. */

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const own = authority.issue('localhost')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
const inbound = [{ name: 'public', tls }]
const asOrders = { ca: authority.ca, servername: 'orders.test' }

const call = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }

/** A message of gRPC: not compressed, its length, its bytes. */
function message(text: string): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(text.length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}

function messages(bytes: string): string[] {
  const found: string[] = []
  for (let rest = Buffer.from(bytes, 'latin1'); rest.length >= 5;) {
    const end = 5 + rest.readUInt32BE(1)
    found.push(rest.subarray(5, end).toString())
    rest = rest.subarray(end)
  }
  return found
}

interface Served {
  readonly world: InboundWorld
  readonly origin: Http2Origin
  readonly client: Http2Client
}

type Handle = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void

async function serve(
  t: Test,
  handle: Handle,
  more: { timeouts?: Record<string, number>; maxConcurrentStreams?: number } = {},
): Promise<Served> {
  const { timeouts = {}, ...settings } = more
  const origin = await startHttp2Origin(own, handle, settings)
  t.teardown(() => origin.close())
  const world = await startInbound(t, shop(origin.port, timeouts), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  t.teardown(() => client.destroy())
  return { world, origin, client }
}

function shop(port: number, timeouts: Record<string, number> = {}) {
  return {
    ...openShop('', { inbound, timeouts }),
    resources: [
      {
        id: 'orders',
        hosts: ['orders.test'],
        backend: `https://localhost:${port}`,
        backendCaFile: authority.caFile,
        backendProtocol: 'http2' as const,
      },
    ],
  }
}

/** Answers with what it is given, and a status behind it. */
function answer(stream: ServerHttp2Stream, texts: readonly string[], status = '0'): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.once('wantTrailers', () =>
    stream.sendTrailers({ 'grpc-status': status, 'grpc-message': 'as told' }),
  )
  for (const text of texts) stream.write(message(text))
  stream.end()
}

async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  let body = ''
  for await (const chunk of stream) body += (chunk as Buffer).toString('latin1')
  return body
}

async function next(stream: ClientHttp2Stream | ServerHttp2Stream): Promise<string> {
  const [chunk] = (await once(stream, 'data')) as [Buffer]
  return messages(chunk.toString('latin1')).join()
}

void t.test('a unary call, with its status in trailers', async (t) => {
  const { origin, client, world } = await serve(t, (stream) => {
    void bodyOf(stream).then((body) => answer(stream, messages(body)))
  })
  const response = await client.exchange('/shop.Orders/Get', {
    headers: { ...call, 'x-nsp-resource-id': 'forged', 'x-forwarded-for': '203.0.113.9' },
    body: message('one').toString('latin1'),
  })
  t.match(response, { status: 200, code: 0 })
  t.strictSame(messages(response.body), ['one'])
  t.match(response.trailers, { 'grpc-status': '0', 'grpc-message': 'as told' })
  const seen = origin.seen.map((fields) => fields.join(' '))
  t.strictSame(seen, [
    ':method POST :scheme https :path /shop.Orders/Get :authority orders.test content-type application/grpc ' +
      'via 1.1 ringfence-0123456789abcdef ' +
      'x-forwarded-for 127.0.0.1 x-forwarded-host orders.test x-forwarded-proto https te trailers',
  ])
  t.equal((await client.exchange('/shop.Orders/Get', { headers: call })).status, 200)
  t.equal(origin.accepted(), 1, 'the connection is kept')
  t.match(world.records, [{ decision: { effect: 'allow' } }, { decision: { effect: 'allow' } }])
  t.strictSame(world.complaints, [])
})

void t.test('a stream of answers arrives as it is sent', async (t) => {
  let stream: ServerHttp2Stream | undefined
  const { client } = await serve(t, (opened) => {
    stream = opened
    opened.resume()
    opened.respond({ ':status': 200 }, { waitForTrailers: true })
    opened.once('wantTrailers', () => opened.sendTrailers({ 'grpc-status': '0' }))
    opened.write(message('first'))
  })
  const asked = client.request('/shop.Orders/List', { headers: call, body: 'x' })
  const response = responseOf(asked)
  t.equal(await next(asked), 'first')
  stream?.write(message('second'))
  t.equal(await next(asked), 'second')
  stream?.end()
  t.match((await response).trailers, { 'grpc-status': '0' })
})

void t.test('both directions at once, and the client ends last or first', async (t) => {
  for (const endsFirst of [false, true]) {
    let theirs: ServerHttp2Stream | undefined
    const { client } = await serve(t, (stream) => {
      theirs = stream
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.on('data', (chunk: Buffer) => void stream.write(chunk))
    })
    const asked = client.request('/shop.Orders/Chat', { headers: call, open: true })
    const response = responseOf(asked)
    for (const text of ['ping', 'again']) {
      asked.write(message(text))
      t.equal(await next(asked), text)
    }
    if (endsFirst) {
      const ended = once(theirs ?? asked, 'end')
      asked.end()
      await ended
      theirs?.write(message('afterwards'))
      t.equal(await next(asked), 'afterwards')
    }
    theirs?.end()
    t.match((await response).trailers, { 'grpc-status': '0' })
  }
})

void t.test('an error that is all head stays so', async (t) => {
  const { world } = await serve(t, (stream) =>
    stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true }),
  )
  const client = await connectFrames({ ...world, ...asOrders })
  client.send(headersFrame(1, requestFields('/shop.Orders/Get', [['te', 'trailers']], 'POST')))
  const head = await client.frame(({ type }) => type === 'HEADERS')
  t.equal((head?.flags ?? 0) & endStream, endStream, 'clients look for a status behind it else')
  client.destroy()
})

void t.test('trailers of a request go on, less what the head may not have either', async (t) => {
  let trailers: readonly string[] | undefined
  const { world } = await serve(t, (stream) => {
    stream.on('trailers', (_headers, _flags, raw) => (trailers = raw))
    void bodyOf(stream).then((body) => answer(stream, [body]))
  })
  const client = await connectFrames({ ...world, ...asOrders })
  client.send(
    headersFrame(1, requestFields('/upload', [['te', 'trailers']], 'POST'), endHeaders),
    dataFrame(1, 'body'),
    headersFrame(1, [
      ['x-checksum', 'abc'],
      ['x-nsp-subscription-id', 'forged'],
      ['x_nsp_resource_id', 'forged'],
      ['x-forwarded-for', 'forged'],
      ['x-ringfence-caller', 'forged'],
      ['proxy-authorization', 'secret'],
      ['host', 'other.test'],
    ]),
  )
  const end = await client.frame(
    ({ type, flags }) => (flags & endStream) !== 0 && type !== 'SETTINGS',
  )
  t.equal(end?.type, 'HEADERS', 'trailers of the answer')
  t.strictSame(trailers, ['x-checksum', 'abc'])
  client.destroy()
})

void t.test(
  'what a client gives up is reset for the back end, and never looks whole',
  async (t) => {
    const ends: { isWhole: boolean; code: number }[] = []
    const { origin, world } = await serve(t, (stream, headers) => {
      let isWhole = false
      stream.on('data', () => {})
      stream.once('end', () => (isWhole = !stream.aborted))
      stream.once('close', () => ends.push({ isWhole, code: stream.rstCode ?? -1 }))
      if (headers[':path'] === '/answering') {
        stream.respond({ ':status': 200 })
        stream.write(message('first'))
      }
    })
    const client = await connectFrames({ ...world, ...asOrders })
    let id = 1
    for (const path of ['/waiting', '/answering']) {
      for (const code of [http2ErrorCode.cancel, http2ErrorCode.noError]) {
        client.send(
          headersFrame(id, requestFields(path, [], 'POST'), endHeaders),
          dataFrame(id, 'x'),
        )
        if (path === '/answering') await client.frame(({ type }) => type === 'DATA')
        else while (origin.open() === 0) await wait(5)
        client.send(resetFrame(id, code))
        while (origin.open() > 0) await wait(5)
        id += 2
      }
    }
    t.strictSame(ends, Array(4).fill({ isWhole: false, code: http2ErrorCode.cancel }))
    t.equal(origin.accepted(), 1, 'the connection serves on')
    client.destroy()
    await world.quiet()
    t.equal(world.openConnections.size, 0)
  },
)

void t.test('an answer that is cut short never looks whole', async (t) => {
  const ways: { note: string; cut: (stream: ServerHttp2Stream) => void }[] = [
    { note: 'a reset', cut: (stream) => stream.close(http2ErrorCode.internalError) },
    { note: 'a reset without an error', cut: (stream) => stream.destroy() },
    { note: 'the connection gone', cut: (stream) => stream.session?.destroy() },
    { note: 'the socket gone', cut: (stream) => stream.session?.socket.destroy() },
  ]
  for (const { note, cut } of ways) {
    const { world } = await serve(t, (stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.write('half')
      setTimeout(() => cut(stream), 50)
    })
    const client = await connectFrames({ ...world, ...asOrders })
    client.send(headersFrame(1, requestFields('/')))
    const reset = await client.frame(({ type }) => type === 'RST_STREAM')
    t.equal(codeOf(reset), http2ErrorCode.internalError, note)
    t.notOk(hasEnded(client), `${note}: no end`)
    t.match(world.records.at(-1), { end: { closeReason: 'backend-reset', bytesOut: 4 } }, note)
    client.destroy()
  }
})

function hasEnded({ frames }: FrameClient): boolean {
  return frames.some(
    ({ type, flags }) => (type === 'DATA' || type === 'HEADERS') && (flags & endStream) !== 0,
  )
}

void t.test('a back end that fails is a refusal with its reason', async (t) => {
  const plain = await startOrigin(undefined, { tls: own })
  const foreign = await startHttp2Origin(authority.issue('other.test'), () => {})
  t.teardown(async () => {
    await plain.close()
    await foreign.close()
  })
  const { origin } = await serve(t, (stream) => stream.close(http2ErrorCode.protocolError))
  for (const [note, port, reason] of [
    ['nobody', 1, 'connect-refused'],
    ['no HTTP/2', plain.port, 'tls-failed'],
    ['another name', foreign.port, 'tls-failed'],
    ['a stream that it does not like', origin.port, 'backend-invalid'],
  ] as const) {
    const world = await startInbound(t, shop(port), { pem: shown })
    const client = await connectHttp2({ ...world, ...asOrders })
    const response = await client.exchange('/', { headers: call, body: 'x' })
    t.equal(response.status, 502, note)
    t.match(response.body, `"reason":"${reason}"`, note)
    client.destroy()
    t.strictSame(world.complaints, [])
  }
})

void t.test('a back end that never agrees is a 504, and nobody has to wait for it', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const parts = shop(origin.port, { connectMs: 400 })
  const world = await startInbound(t, parts, { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  const waiting = client.exchange('/', { headers: call, body: 'x' })
  const given = client.request('/', { headers: call, open: true })
  while (world.records.length < 2 || origin.accepted() === 0) await wait(5)
  given.close(http2ErrorCode.cancel)
  await world.record(({ end }) => end?.closeReason === 'client-reset')
  const response = await waiting
  t.equal(response.status, 504)
  t.match(response.body, '"reason":"connect-timeout"')
  while (origin.sockets.size > 0) await wait(5)
  t.equal(origin.accepted(), 1)
  client.destroy()
  await world.quiet()
  t.equal(world.openConnections.size, 0)
  t.strictSame(world.complaints, [])
})

void t.test('a silent back end is a 504, and a dead connection is not used again', async (t) => {
  const origin = await startHttp2Origin(own, () => {})
  const links: Socket[] = []
  const link = createServer((socket) => {
    const onward = connectTcp(origin.port, '127.0.0.1')
    for (const one of [socket, onward]) one.on('error', () => {})
    socket.pipe(onward).pipe(socket)
    links.push(socket, onward)
  })
  link.listen(0, '127.0.0.1')
  await once(link, 'listening')
  t.teardown(async () => {
    for (const socket of links) socket.destroy()
    link.close()
    await origin.close()
  })
  // A TCP server that listens has an AddressInfo.
  const { port } = link.address() as AddressInfo
  const timeouts = { bodyIdleMs: 300, connectMs: 300 }
  const world = await startInbound(t, shop(port, timeouts), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  const ask = async () => client.exchange('/', { headers: call })
  t.match(await ask(), { status: 504, code: 0 })
  await wait(400)
  t.match(await ask(), { status: 504, code: 0 })
  t.equal(origin.accepted(), 1, 'the back end is slow, the connection is good')
  // For the answer to the PING.
  await wait(200)
  for (const socket of links) socket.unpipe().pause()
  t.match(await ask(), { status: 504, code: 0 })
  await wait(600)
  t.match(await ask(), { status: 504, code: 0 })
  t.equal(origin.accepted(), 2)
  client.destroy()
})

void t.test('streams beyond what the back end takes go over another connection', async (t) => {
  const held: ServerHttp2Stream[] = []
  const { client, origin } = await serve(t, (stream) => void held.push(stream), {
    maxConcurrentStreams: 2,
  })
  const first = client.exchange('/0')
  while (held.length < 1) await wait(5)
  const others = [1, 2, 3, 4].map(async (id) => client.exchange(`/${id}`))
  while (held.length < 5) await wait(5)
  t.equal(origin.accepted(), 3)
  for (const stream of held) answer(stream, ['x'])
  for (const { status } of await Promise.all([first, ...others])) t.equal(status, 200)
})

void t.test('a connection that the back end leaves is not used for the next', async (t) => {
  const { client, origin } = await serve(t, (stream) => answer(stream, ['x']))
  t.equal((await client.exchange('/1')).status, 200)
  for (const session of origin.sessions) session.close()
  for (let count = 0; count < 5; count++) t.equal((await client.exchange('/2')).status, 200)
  for (const session of origin.sessions) session.destroy()
  t.equal((await client.exchange('/3')).status, 200, 'at the very moment')
})

void t.test('fields that are said twice go on twice, cookies in one', async (t) => {
  const { origin, world } = await serve(t, (stream) => answer(stream, []))
  const client = await connectFrames({ ...world, ...asOrders })
  const twice = ['referer', 'referer', 'x-a', 'x-a', 'cookie', 'cookie'].map(
    (name, index): [string, string] => [name, `v${index}`],
  )
  client.send(headersFrame(1, requestFields('/', twice)))
  await client.frame(({ type }) => type === 'HEADERS')
  const [seen = []] = origin.seen
  const values = (name: string) => seen.filter((_, index) => seen[index - 1] === name)
  t.strictSame(values('referer'), ['v0', 'v1'])
  t.strictSame(values('x-a'), ['v2', 'v3'])
  t.strictSame(values('cookie'), ['v4; v5'])
  client.destroy()
})

void t.test('trailers that cannot be said are left out, in both directions', async (t) => {
  let trailers: readonly string[] | undefined
  const { world } = await serve(t, (stream) => {
    stream.on('trailers', (_headers, _flags, raw) => (trailers = raw))
    void bodyOf(stream).then((body) => answer(stream, [body]))
  })
  const client = await connectFrames({ ...world, ...asOrders })
  client.send(
    headersFrame(1, requestFields('/upload', [], 'POST'), endHeaders),
    dataFrame(1, 'body'),
    headersFrame(1, [['http2-settings', 'x']]),
  )
  const end = await client.frame(
    ({ type, flags }) => (flags & endStream) !== 0 && type !== 'SETTINGS',
  )
  t.equal(end?.type, 'HEADERS', 'it is served to its end')
  t.equal(trailers, undefined)
  client.destroy()
  const origin = await startRawOrigin({
    onData: answerRaw(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nhttp2-settings: x\r\n\r\n',
    ),
  })
  t.teardown(() => origin.close())
  const parts = openShop(`http://${origin.authority}`, { inbound })
  const other = await startInbound(t, parts, { pem: shown })
  const asking = await connectHttp2({ ...other, ...asOrders })
  t.match(await asking.exchange('/'), { status: 200, body: 'ok', code: 0 })
  asking.destroy()
})

void t.test('hints ahead of an answer reach the client', async (t) => {
  const { client } = await serve(t, (stream) => {
    stream.additionalHeaders({ ':status': 103, link: '</style.css>' })
    answer(stream, ['x'])
  })
  const asked = client.request('/', { headers: call, body: 'x' })
  const [hint] = (await once(asked, 'headers')) as [IncomingHttpHeaders]
  t.match(hint, { ':status': 103, link: '</style.css>' })
  t.equal((await responseOf(asked)).code, 0)
})

void t.test('a large body is held back in both directions', async (t) => {
  const size = 8 * 1024 * 1024
  const { client, world } = await serve(t, (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.pipe(stream)
  })
  const asked = client.request('/echo', { headers: call, open: true })
  asked.end(Buffer.alloc(size))
  let bytes = 0
  asked.on('data', (chunk: Buffer) => (bytes += chunk.length))
  await once(asked, 'close')
  t.equal(bytes, size)
  client.destroy()
  await world.quiet()
  const { bytesIn = 0, bytesOut = 0 } = world.ended.find(({ kind }) => kind === 'request') ?? {}
  t.strictSame([bytesIn, bytesOut], [size, size])
})
