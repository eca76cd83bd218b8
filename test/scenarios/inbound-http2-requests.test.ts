import t from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2, responseOf } from '../support/http2-client.ts'
import { closedShop, openShop, startInbound } from '../support/inbound-world.ts'
import { answerRaw, readBody, startOrigin, startRawOrigin } from '../support/origin.ts'
import { MiB } from '../../src/units.ts'

/** HTTP/2 from clients: the same decisions, records and refusals as over HTTP/1.1, and a stream for each. */

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
const inbound = [{ name: 'public', tls }]
const asOrders = { ca: authority.ca, servername: 'orders.test' }

void t.test('an allowed request reaches the back end and its answer the client', async (t) => {
  const origin = await startOrigin((request, response) => {
    void readBody(request).then((body) => {
      response.setHeader('x-back-end', 'yes')
      response.setHeader('set-cookie', ['a=1', 'b=2'])
      response.end(`got ${body.toString()}`)
    })
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  const response = await client.exchange('/a/../b%2f?x=1&y', {
    headers: { ':method': 'POST', cookie: ['a=1', 'b=2'], 'content-length': '5' },
    body: 'hello',
  })
  t.match(response, { status: 200, body: 'got hello', code: 0 })
  t.equal(response.headers['x-back-end'], 'yes')
  t.equal(response.headers['x-ms-request-id'], 'correlation-1')
  t.strictSame(response.headers['set-cookie'], ['a=1', 'b=2'])
  const [seen] = origin.seen
  t.equal(seen?.url, '/a/../b%2f?x=1&y')
  t.equal(seen?.httpVersion, '1.1')
  t.strictSame(seen?.rawHeaders, [
    'host',
    'orders.test',
    'content-length',
    '5',
    'cookie',
    'a=1; b=2',
    'Via',
    '1.1 ringfence-0123456789abcdef',
    'x-forwarded-for',
    '127.0.0.1',
    'x-forwarded-host',
    'orders.test',
    'x-forwarded-proto',
    'https',
    'Connection',
    'keep-alive',
  ])
  t.match(world.records, [
    {
      correlationId: 'correlation-1',
      operationName: 'POST',
      serviceFqdn: 'orders.test',
      decision: { effect: 'allow', reason: 'access-rule', rule: 'office' },
      source: { ipAddress: '127.0.0.1', protocol: 'HTTPS:TCP' },
    },
  ])
  t.equal((await client.exchange('/second')).status, 200)
  client.destroy()
  await world.quiet()
  t.strictSame(world.complaints, [])
})

void t.test('a denied request never reaches the back end, and the session goes on', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, closedShop(origin.url, { inbound }), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  for (const id of ['correlation-1', 'correlation-2']) {
    const response = await client.exchange('/', { headers: { ':method': 'POST' }, body: 'hello' })
    t.match(response, { status: 403, code: 0 })
    t.equal(response.headers['x-ms-error-code'], 'NetworkSecurityPerimeterDenied')
    t.equal(response.headers['x-ms-request-id'], id)
    t.match(JSON.parse(response.body), {
      error: { innererror: { reason: 'no-matching-rule', correlationId: id } },
    })
  }
  t.equal(origin.accepted(), 0)
  t.equal(world.records.length, 2)
  client.destroy()
  await world.quiet()
  t.strictSame(world.complaints, [])
})

void t.test('streams of one connection are served at once', async (t) => {
  const waiting: (() => void)[] = []
  const origin = await startOrigin((request, response) => {
    waiting.push(() => response.end(request.url))
    if (waiting.length === 10) for (const answer of waiting.toReversed()) answer()
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  const paths = Array.from({ length: 10 }, (_, index) => `/${index}`)
  const responses = await Promise.all(paths.map(async (path) => client.exchange(path)))
  t.strictSame(
    responses.map(({ body }) => body),
    paths,
  )
  client.destroy()
})

void t.test('trailers of a back end of HTTP/1.1 reach the client', async (t) => {
  const origin = await startOrigin((_, response) => {
    response.writeHead(200, { trailer: 'x-checksum' })
    response.write('body')
    response.addTrailers({ 'x-checksum': 'abc', 'x-other': 'def' })
    response.end()
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  const response = await client.exchange('/')
  t.match(response, { status: 200, body: 'body', code: 0 })
  t.match(response.trailers, { 'x-checksum': 'abc', 'x-other': 'def' })
  t.equal(response.headers['trailer'], undefined)
  client.destroy()
})

void t.test('hints ahead of an answer reach the client, a flood of them does not', async (t) => {
  const origin = await startRawOrigin({
    onData: answerRaw(
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: y\r\n\r\n'.repeat(1000) +
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    ),
  })
  t.teardown(() => origin.close())
  const backend = `http://${origin.authority}`
  const world = await startInbound(t, openShop(backend, { inbound }), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  const stream = client.request('/')
  const hints: unknown[] = []
  stream.on('headers', (headers) => hints.push(Object.fromEntries(Object.entries(headers))))
  t.match(await responseOf(stream), { status: 200, body: 'ok', code: 0 })
  t.strictSame(hints, Array(8).fill({ ':status': 103, link: '</a.css>' }))
  client.destroy()
})

void t.test('an upload waits for the back end', async (t) => {
  const origin = await startRawOrigin({ onConnection: (socket) => socket.pause() })
  t.teardown(() => origin.close())
  const backend = `http://${origin.authority}`
  const world = await startInbound(t, openShop(backend, { inbound }), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  const upload = client.request('/', { headers: { ':method': 'PUT' }, open: true })
  const size = 64 * MiB
  upload.end(Buffer.alloc(size))
  while (world.records.length === 0) await wait(10)
  await wait(500)
  client.destroy()
  await world.quiet()
  const { bytesIn = size } = world.ended.find(({ kind }) => kind === 'request') ?? {}
  t.ok(bytesIn < 16 * MiB, `${(bytesIn / MiB).toFixed(1)} MiB were taken`)
})

void t.test('a request that comes round is refused, and goes no further', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), { pem: shown })
  const client = await connectHttp2({ ...world, ...asOrders })
  const headers = { via: '1.1 balancer, 1.1 ringfence-0123456789abcdef' }
  const response = await client.exchange('/', { headers })
  t.equal(response.status, 508)
  t.match(world.records, [{ decision: { effect: 'deny', reason: 'loop' } }])
  t.equal(origin.seen.length, 0)
  const other = await client.exchange('/', { headers: { via: '2.0 balancer' } })
  t.equal(other.status, 200)
  t.same(origin.seen[0]?.header('via'), ['2.0 balancer', '1.1 ringfence-0123456789abcdef'])
})
