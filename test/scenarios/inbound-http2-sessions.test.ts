import t from 'tap'
import type { ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2, responseOf } from '../support/http2-client.ts'
import {
  codeOf,
  connectFrames,
  dataFrame,
  endHeaders,
  endStream,
  fieldBlock,
  frameOf,
  headersFrame,
  requestFields,
  setting,
} from '../support/http2-frames.ts'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { answerRaw, readBody, startOrigin, startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { http11Required } from '../../src/wire/http2-preface.ts'
import { http2ErrorCode } from '../../src/wire/http2-error-code.ts'
import { KiB, MiB, seconds } from '../../src/units.ts'

/** What of HTTP/2 belongs to the connection: limits, times, reload, drain, and how a stream ends. */

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
const inbound = [{ name: 'public', tls }]
const asOrders = { ca: authority.ca, servername: 'orders.test' }
const pem = { pem: shown }

void t.test('a reload ends the streams that it no longer allows, not the session', async (t) => {
  let asked: (() => void) | undefined
  const origin = await startOrigin((request, response) => {
    if (request.url === '/stream') response.write('begun')
    asked?.()
  })
  t.teardown(() => origin.close())
  const both = (web: readonly string[]) => ({
    ...openShop(origin.url, { inbound }),
    resources: [
      { id: 'orders', hosts: ['orders.test'], backend: origin.url },
      { id: 'other', hosts: ['other.test'], backend: origin.url },
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
  const world = await startInbound(t, both(['127.0.0.1/32']), pem)
  const client = await connectHttp2({ ...world, ...asOrders })
  const streaming = client.request('/stream')
  await new Promise<void>((resolve) => streaming.once('data', () => resolve()))
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const waiting = client.exchange('/wait')
  await isAsked
  const isOtherAsked = new Promise<void>((resolve) => (asked = resolve))
  const other = client.request('/other', { headers: { ':authority': 'other.test' } })
  await isOtherAsked
  t.equal(world.openConnections.size, 3)

  await world.reload(both([]))

  t.match(await responseOf(streaming), { code: http2ErrorCode.cancel })
  const refused = await waiting
  t.match(refused, { status: 403, code: 0 })
  t.match(refused.body, '"reason":"policy-revoked"')
  t.match((await client.exchange('/again')).body, '"reason":"no-matching-rule"')
  t.equal(world.openConnections.size, 1)
  t.notOk(other.closed)
  t.notOk(client.session.closed)
  t.strictSame(
    world.records.filter(({ end }) => end !== undefined).map(({ end }) => end?.closeReason),
    ['policy-revoked', 'policy-revoked'],
  )

  await world.reload(both(['127.0.0.1/32']))
  const later = client.request('/stream')
  await new Promise<void>((resolve) => later.once('data', () => resolve()))
  await world.reload(both([]))
  t.match(await responseOf(later), { code: http2ErrorCode.cancel }, 'and once more')
  client.destroy()
  await world.quiet()
  t.strictSame(world.complaints, [])
})

void t.test('draining: streams in flight are answered, then the connection ends', async (t) => {
  const held: ServerResponse[] = []
  let asked: (() => void) | undefined
  const origin = await startOrigin((request, response) => {
    if (request.url === '/idle') {
      response.end('ok')
      return
    }
    held.push(response)
    asked?.()
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), pem)
  const idle = await connectHttp2({ ...world, ...asOrders })
  t.equal((await idle.exchange('/idle')).body, 'ok')
  const busy = await connectHttp2({ ...world, ...asOrders })
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const response = busy.exchange('/busy')
  await isAsked
  const gone = Promise.all(
    [idle, busy].map(
      async ({ session }) => new Promise<void>((resolve) => session.once('close', resolve)),
    ),
  )
  world.proxy.stopAccepting()
  await wait(20)
  for (const one of held) one.end('whole')
  t.match(await response, { status: 200, body: 'whole', code: 0 })
  await gone
  await world.quiet()
})

void t.test('closing cuts off whatever is left', async (t) => {
  const origin = await startOrigin((_, response) => void response.write('begun'))
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), pem)
  const client = await connectHttp2({ ...world, ...asOrders })
  const stream = client.request('/')
  await new Promise<void>((resolve) => stream.once('data', () => resolve()))
  await world.proxy.close()
  await responseOf(stream)
  t.equal(world.proxy.open, 0)
  t.match(world.records.at(-1), { end: { closeReason: 'drain-timeout' } })
})

void t.test('one connection too many is answered with 503 and ended', async (t) => {
  const world = await startInbound(
    t,
    openShop('http://127.0.0.1:1', { inbound, limits: { connections: 0 } }),
    pem,
  )
  const client = await connectHttp2({ ...world, ...asOrders })
  const ended = new Promise<void>((resolve) => client.session.once('close', resolve))
  t.match(await client.exchange('/'), { status: 503, code: 0 })
  t.match(world.records, [{ decision: { reason: 'limit' }, detail: 'too many connections' }])
  await ended
})

void t.test('a stream too many is not served', async (t) => {
  const held: ServerResponse[] = []
  let asked: (() => void) | undefined
  const origin = await startOrigin((_, response) => {
    if (held.push(response) === 2) asked?.()
  })
  t.teardown(() => origin.close())
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const parts = openShop(origin.url, { inbound, limits: { concurrentStreams: 2 } })
  const world = await startInbound(t, parts, pem)
  const unaware = await connectFrames({ ...world, ...asOrders })
  for (const id of [1, 3, 5]) unaware.send(headersFrame(id, requestFields(`/${id}`)))
  const refused = await unaware.frame(({ type }) => type === 'RST_STREAM')
  t.match(refused, { stream: 5 }, 'as long as the client may not know of the limit')
  t.equal(codeOf(refused), http2ErrorCode.refusedStream)
  await isAsked
  for (const response of held) response.end('ok')
  for (let left = 2; left > 0; left--) await unaware.frame(({ type }) => type === 'HEADERS')
  t.equal(world.records.length, 2)
  unaware.destroy()
  world.forget()

  const aware = await connectFrames({ ...world, ...asOrders })
  const settings = await aware.frame(({ type, flags }) => type === 'SETTINGS' && flags === 0)
  t.ok(settings?.payload.includes(setting(3, 2)), 'the client is told')
  aware.send(frameOf('SETTINGS', { flags: 1 }))
  for (const id of [1, 3, 5]) aware.send(headersFrame(id, requestFields(`/${id}`)))
  const end = await aware.frame(({ type }) => type === 'GOAWAY')
  t.equal(codeOf(end), http2ErrorCode.protocolError, 'who knows and does it is ended')
  await aware.closed()
  await world.quiet()
  const details = world.records.map(({ detail }) => detail)
  t.strictSame(
    details.filter((detail) => detail !== undefined),
    ['not valid HTTP/2'],
  )
})

void t.test('a head of too many bytes or lines is a 431 of its stream', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const limits = { headerBytes: 2000, headerCount: 20 }
  const world = await startInbound(t, openShop(origin.url, { inbound, limits }), pem)
  const client = await connectHttp2({ ...world, ...asOrders })
  const lines = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '1']))
  for (const [note, headers, detail] of [
    ['bytes', { x: 'a'.repeat(3000) }, 'too many header bytes or lines'],
    ['many bytes', { x: 'a'.repeat(20 * KiB) }, 'too many header bytes or lines'],
    ['lines', lines(30), 'too many header lines'],
    ['many lines', lines(150), 'too many header lines'],
  ] as const) {
    world.forget()
    t.match(await client.exchange('/', { headers }), { status: 431, code: 0 }, note)
    t.match(world.records, [{ decision: { reason: 'bad-request' }, detail }], note)
  }
  t.equal((await client.exchange('/')).status, 200)
  client.destroy()
})

void t.test(
  'a connection without a request has the header time, later the idle time',
  async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    const timeouts = { headerMs: 300, keepAliveMs: 600 }
    const world = await startInbound(t, openShop(origin.url, { inbound, timeouts }), pem)
    const cases = [
      { note: 'nothing at all', frames: [], least: 200 },
      {
        note: 'half a head',
        frames: [headersFrame(1, requestFields('/'), endStream)],
        least: 200,
      },
      { note: 'a request', frames: [headersFrame(1, requestFields('/'))], least: 500 },
    ]
    await Promise.all(
      cases.map(async ({ note, frames, least }) => {
        const from = performance.now()
        const client = await connectFrames({ ...world, ...asOrders })
        client.send(...frames)
        // PINGs keep nobody alive.
        const ping = setInterval(
          () => client.send(frameOf('PING', { payload: Buffer.alloc(8) })),
          50,
        )
        if (note === 'half a head') clearInterval(ping)
        await client.closed()
        clearInterval(ping)
        const took = performance.now() - from
        // A client has five seconds to read why.
        t.ok(took > least && took < least + 7000, `${note}: ${took.toFixed()} ms`)
      }),
    )
    await world.quiet()
  },
)

void t.test('a session that waits is told before it is ended', async (t) => {
  const timeouts = { headerMs: 300 }
  const world = await startInbound(t, openShop('http://127.0.0.1:1', { inbound, timeouts }), pem)
  const client = await connectFrames({ ...world, ...asOrders })
  t.equal(codeOf(await client.frame(({ type }) => type === 'GOAWAY')), http2ErrorCode.noError)
  await client.closed()
})

void t.test('a body that does not come is a 408, an answer that is not taken is cut', async (t) => {
  const large = Buffer.alloc(MiB)
  const origin = await startOrigin((request, response) => {
    if (request.url === '/large') response.end(large)
    else void readBody(request).catch(() => {})
  })
  t.teardown(() => origin.close())
  const timeouts = { bodyIdleMs: 300 }
  const world = await startInbound(t, openShop(origin.url, { inbound, timeouts }), pem)
  const client = await connectHttp2({ ...world, ...asOrders })
  const upload = client.request('/upload', { headers: { ':method': 'POST' }, open: true })
  upload.write('half')
  t.match(await responseOf(upload), { status: 408 })
  t.match(world.records.at(-1), { end: { closeReason: 'body-idle-timeout', bytesIn: 4 } })
  const silent = client.exchange('/silent')
  t.match(await silent, { status: 504, code: 0 })
  client.destroy()
  // No window: nothing of the answer may be sent.
  const stalled = await connectFrames({ ...world, ...asOrders, settings: setting(4, 0) })
  stalled.send(headersFrame(1, requestFields('/large')))
  const reset = await stalled.frame(({ type }) => type === 'RST_STREAM')
  t.equal(codeOf(reset), http2ErrorCode.cancel)
  t.match(await world.record(({ end }) => (end?.bytesOut ?? 0) > 0), {
    end: { closeReason: 'body-idle-timeout' },
  })
  stalled.destroy()
  await world.quiet()
  t.equal(world.openConnections.size, 0)
})

void t.test(
  'a client that takes nothing at all is given up',
  { timeout: seconds(40) },
  async (t) => {
    const large = Buffer.alloc(16 * MiB)
    const origin = await startOrigin((_, response) => void response.end(large))
    t.teardown(() => origin.close())
    const timeouts = { bodyIdleMs: 300, keepAliveMs: 300 }
    const world = await startInbound(t, openShop(origin.url, { inbound, timeouts }), pem)
    const widest = 0x7fffffff
    const client = await connectFrames({ ...world, ...asOrders, settings: setting(4, widest) })
    const more = Buffer.alloc(4)
    more.writeUInt32BE(widest - 65_535)
    client.send(frameOf('WINDOW_UPDATE', { payload: more }))
    client.socket.pause()
    client.send(headersFrame(1, requestFields('/large')))
    const { end } = await world.record((record) => record.end !== undefined)
    t.equal(end?.closeReason, 'body-idle-timeout')
    await world.quiet()
    t.equal(world.metered(), 0, 'the connection is gone as well')
    client.destroy()
  },
)

void t.test('an answer that is cut short never looks whole', async (t) => {
  const heads = [
    { note: 'by length', head: 'Content-Length: 10\r\n\r\nhalf' },
    { note: 'in chunks', head: 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n' },
    { note: 'until the end', head: '\r\nhalf', resets: true },
  ]
  for (const { note, head, resets } of heads) {
    const origin = await startRawOrigin({
      onData(socket, text) {
        if (!text.includes('\r\n\r\n')) return
        socket.write(`HTTP/1.1 200 OK\r\n${head}`, () =>
          setTimeout(() => (resets === true ? socket.resetAndDestroy() : socket.destroy()), 30),
        )
      },
    })
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(`http://${origin.authority}`, { inbound }), pem)
    const client = await connectFrames({ ...world, ...asOrders })
    client.send(headersFrame(1, requestFields('/')))
    const reset = await client.frame(({ type }) => type === 'RST_STREAM')
    t.equal(codeOf(reset), http2ErrorCode.internalError, note)
    const data = client.frames.filter(({ type }) => type === 'DATA')
    t.equal(data.map(({ payload }) => payload.toString()).join(''), 'half', note)
    t.notOk(
      data.some(({ flags }) => (flags & endStream) !== 0),
      `${note}: no end`,
    )
    t.match(world.records.at(-1), { end: { closeReason: 'backend-reset' } }, note)
    client.destroy()
  }
})

void t.test('a back end that fails is a refusal of its stream', async (t) => {
  const broken = await startRawOrigin({ onData: answerRaw('HTTP/1.1 200 OK\r\nbad\r\n\r\n') })
  const unasked = await startRawOrigin({
    onData: answerRaw(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    ),
  })
  t.teardown(async () => {
    await broken.close()
    await unasked.close()
  })
  for (const [backend, status, reason] of [
    ['http://127.0.0.1:1', 502, 'connect-refused'],
    [`http://${broken.authority}`, 502, 'backend-invalid'],
    [`http://${unasked.authority}`, 502, 'backend-invalid'],
  ] as const) {
    const world = await startInbound(t, openShop(backend, { inbound }), pem)
    const client = await connectHttp2({ ...world, ...asOrders })
    const response = await client.exchange('/', { headers: { ':method': 'POST' }, body: 'x' })
    t.match(response, { status, code: 0 })
    t.match(response.body, `"reason":"${reason}"`)
    client.destroy()
  }
})

void t.test(
  'an answer before the end of the request ends the request without an error',
  async (t) => {
    const origin = await startOrigin((_, response) => void response.end('enough'))
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(origin.url, { inbound }), pem)
    const client = await connectFrames({ ...world, ...asOrders })
    client.send(headersFrame(1, requestFields('/', [], 'POST'), endHeaders), dataFrame(1, 'half'))
    const reset = await client.frame(({ type }) => type === 'RST_STREAM')
    t.equal(codeOf(reset), http2ErrorCode.noError)
    const ends = client.frames.filter(
      ({ type, flags }) => type === 'DATA' && (flags & endStream) !== 0,
    )
    t.equal(ends.length, 1, 'the answer is whole')
    client.destroy()
    await world.quiet()
  },
)

void t.test('HEAD, 204, 304 and 100-continue are what they are', async (t) => {
  const origin = await startOrigin((request, response) => {
    if (request.url === '/204') response.writeHead(204).end()
    else if (request.url === '/304') response.writeHead(304).end()
    else if (request.method === 'HEAD') response.writeHead(200, { 'content-length': '5' }).end()
    else void readBody(request).then((body) => response.end(body))
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), pem)
  const client = await connectHttp2({ ...world, ...asOrders })
  t.match(await client.exchange('/204'), { status: 204, body: '', code: 0 })
  t.match(await client.exchange('/304'), { status: 304, body: '', code: 0 })
  const head = await client.exchange('/', { headers: { ':method': 'HEAD' } })
  t.match(head, { status: 200, body: '', code: 0 })
  t.equal(head.headers['content-length'], '5')
  const asking = client.request('/', {
    headers: { ':method': 'POST', expect: '100-continue' },
    open: true,
  })
  asking.once('continue', () => asking.end('body'))
  t.match(await responseOf(asking), { status: 200, body: 'body' })
  t.strictSame(origin.seen.at(-1)?.header('expect'), [])
  client.destroy()
  await world.quiet()
  t.ok(world.ended.filter(({ kind }) => kind === 'request').length === 4)
  t.strictSame(world.complaints, [])
})

void t.test('a head in many frames is one head', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), pem)
  const client = await connectFrames({ ...world, ...asOrders })
  client.send(
    headersFrame(1, requestFields('/'), endStream),
    frameOf('CONTINUATION', { stream: 1, payload: fieldBlock([['x-a', '1']]) }),
    frameOf('CONTINUATION', { stream: 1, flags: endHeaders, payload: fieldBlock([['x-b', '2']]) }),
  )
  await client.frame(({ type }) => type === 'HEADERS')
  t.strictSame(origin.seen[0]?.header('x-b'), ['2'])
  client.destroy()
})

void t.test('HTTP/2 that nobody agreed on is answered in HTTP/2, recorded and ended', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const ways = [false, true].flatMap((isSecure) => [
    { isSecure, lane: 'relay' as const },
    { isSecure, lane: 'library' as const },
  ])
  for (const { isSecure, lane } of ways) {
    const world = isSecure
      ? await startInbound(t, openShop(origin.url, { inbound, lane }), pem)
      : await startInbound(t, openShop(origin.url, { lane }))
    const { port } = world
    const client = await connectRaw(
      isSecure ? { port, tls: { ...asOrders, alpn: ['http/1.1'] } } : { port },
    )
    client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    client.send(frameOf('SETTINGS'))
    t.equal((await client.rest()).text, http11Required.toString('latin1'))
    t.match(world.records, [
      { decision: { reason: 'bad-request' }, detail: 'HTTP/2 that was not agreed on' },
    ])
    client.destroy()
    await world.quiet()
  }
  t.equal(origin.accepted(), 0)
})

void t.test('a refusal for which there is no window is given up', async (t) => {
  const origin = await startOrigin(() => {})
  t.teardown(() => origin.close())
  const timeouts = { bodyIdleMs: 300 }
  const world = await startInbound(t, openShop(origin.url, { inbound, timeouts }), pem)
  const client = await connectFrames({ ...world, ...asOrders, settings: setting(4, 0) })
  client.send(headersFrame(1, requestFields('/silent')))
  const reset = await client.frame(({ type }) => type === 'RST_STREAM')
  t.equal(codeOf(reset), http2ErrorCode.cancel)
  t.match(world.records.at(-1), { end: { closeReason: 'backend-timeout' } })
  t.equal(world.proxy.open, 0)
  client.destroy()
})
