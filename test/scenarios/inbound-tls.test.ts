import t from 'tap'
import { once } from 'node:events'
import { connect } from 'node:tls'
import { connect as connectTcp, type Socket } from 'node:net'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { createAuthority } from '../support/certificates.ts'
import { answerRaw, startOrigin, startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { clientFrame, echoFrames, serverFrame, upgradeRequest } from '../support/web-socket.ts'

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
const inbound = [{ name: 'public', tls }]
const asOrders = { ca: authority.ca, servername: 'orders.test' }

async function failureOf(socket: Socket): Promise<Error> {
  return new Promise((resolve) => socket.once('error', resolve))
}

void t.test('a listener with a certificate speaks TLS, and says so', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), { pem: shown })
  const client = await connectRaw({ ...world, tls: { ...asOrders, alpn: ['http/1.1'] } })
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  t.equal((await client.response()).body, 'ok')
  t.strictSame(origin.seen[0]?.header('x-forwarded-proto'), ['https'])
  t.match(world.records[0], { source: { ipAddress: '127.0.0.1', protocol: 'HTTPS:TCP' } })
  client.send(upgradeRequest('orders.test'))
  t.equal((await client.response()).status, 101)
  client.send(clientFrame('safe'))
  await client.until(serverFrame('safe').toString('latin1'))
  client.destroy()
  t.strictSame(world.complaints, [])
})

void t.test('a client chooses in the handshake what is spoken', async (t) => {
  const world = await startInbound(t, openShop('http://127.0.0.1:1', { inbound }), { pem: shown })
  for (const [offered, chosen] of [
    [['http/1.1'], 'http/1.1'],
    [['h2'], 'h2'],
    [['http/1.1', 'h2'], 'h2'],
    [undefined, false],
  ] as const) {
    const client = await connectRaw({
      ...world,
      tls: { ...asOrders, ...(offered === undefined ? {} : { alpn: [...offered] }) },
    })
    t.equal(Reflect.get(client.stream, 'alpnProtocol'), chosen)
    client.destroy()
  }
  const socket = connect({
    port: world.port,
    host: '127.0.0.1',
    ...asOrders,
    ALPNProtocols: ['http/1.0'],
  })
  t.match(await failureOf(socket), { code: /NO_APPLICATION_PROTOCOL/ })
})

void t.test('a new certificate is shown to new connections, old ones go on', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), { pem: shown })
  const before = await connectRaw({ ...world, tls: asOrders })
  const renewed = authority.issue('renewed.test')
  world.proxy.setSecureContext(renewed)
  const after = await connectRaw({
    ...world,
    tls: { ca: authority.ca, servername: 'renewed.test' },
  })
  for (const client of [before, after]) {
    client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
    t.equal((await client.response()).status, 200)
    client.destroy()
  }
  t.throws(() => world.proxy.setSecureContext({ cert: 'no', key: 'no' }))
})

void t.test('a handshake has the header time', async (t) => {
  const world = await startInbound(
    t,
    openShop('http://127.0.0.1:1', { inbound, timeouts: { headerMs: 150 } }),
    { pem: shown },
  )
  const socket = connectTcp(world.port, '127.0.0.1')
  await once(socket, 'connect')
  const from = performance.now()
  await once(socket, 'close')
  t.ok(performance.now() - from < 2000)
  t.equal(world.records.length, 0)
})

void t.test('bytes that are no handshake end the connection and nothing else', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { inbound }), { pem: shown })
  const socket = connectTcp(world.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  await once(socket, 'close')
  const client = await connectRaw({ ...world, tls: asOrders })
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  t.equal((await client.response()).status, 200)
  client.destroy()
  t.strictSame(world.complaints, [])
})

void t.test('a TLS hello on a plain listener gets silence', async (t) => {
  const world = await startInbound(t, openShop('http://127.0.0.1:1'))
  const socket = connect({ port: world.port, host: '127.0.0.1', ...asOrders })
  t.match(await failureOf(socket), { code: 'ECONNRESET' })
  t.equal(world.records.length, 0)
})

void t.test('a listener with TLS and without a certificate does not start', async (t) => {
  await t.rejects(startInbound(t, openShop('http://127.0.0.1:1', { inbound })), {
    code: 'RF_LISTEN',
    message: 'inbound listener `public` has no certificate',
  })
})

void t.test('a cut is a cut under TLS too', async (t) => {
  const origin = await startRawOrigin({
    onData(socket, text) {
      if (!text.includes('\r\n\r\n')) return
      socket.write('HTTP/1.1 200 OK\r\n\r\nhalf', () =>
        setTimeout(() => socket.resetAndDestroy(), 20),
      )
    },
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`, { inbound }), {
    pem: shown,
  })
  const client = await connectRaw({ ...world, tls: asOrders })
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  const response = await client.response()
  t.equal(response.body, 'half')
  t.equal(response.complete, false)
})

// Undici CVE-2026-9697: behind a proxy, verification was lost.
void t.test('an https back end is verified by its own name, whatever Host says', async (t) => {
  const good = await startOrigin(undefined, {
    tls: authority.issue('localhost', '127.0.0.1'),
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  const misnamed = await startOrigin(undefined, { tls: authority.issue('orders.test') })
  t.teardown(async () => {
    await good.close()
    await misnamed.close()
  })
  const ask = async (port: number, host: string, backendCaFile?: string) => {
    const parts = openShop('')
    const world = await startInbound(t, {
      ...parts,
      resources: [
        {
          id: 'orders',
          hosts: ['orders.test'],
          backend: `https://${host}:${port}`,
          ...(backendCaFile === undefined ? {} : { backendCaFile }),
        },
      ],
    })
    const client = await connectRaw(world)
    client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
    const { status, body } = await client.response()
    client.destroy()
    return { status, body, world }
  }
  t.match(await ask(good.port, 'localhost', authority.caFile), { status: 200, body: 'ok' })
  t.strictSame(good.seen[0]?.header('host'), ['orders.test'])
  t.match(await ask(good.port, '127.0.0.1', authority.caFile), { status: 200, body: 'ok' })
  for (const [note, refused] of [
    ['another name', await ask(misnamed.port, 'localhost', authority.caFile)],
    ['another authority', await ask(good.port, 'localhost')],
    ['an authority that cannot be read', await ask(good.port, 'localhost', '/nowhere/ca.pem')],
  ] as const) {
    t.equal(refused.status, 502, note)
    t.match(refused.body, '"reason":"tls-failed"', note)
  }
  t.equal(misnamed.seen.length, 0)
})

void t.test('an upgrade to an https back end is verified as well', async (t) => {
  const origin = await startOrigin(undefined, {
    tls: authority.issue('localhost'),
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  for (const [backendCaFile, status] of [
    [authority.caFile, 101],
    [undefined, 502],
  ] as const) {
    const world = await startInbound(t, {
      ...openShop(''),
      resources: [
        {
          id: 'orders',
          hosts: ['orders.test'],
          backend: `https://localhost:${origin.port}`,
          ...(backendCaFile === undefined ? {} : { backendCaFile }),
        },
      ],
    })
    const client = await connectRaw(world)
    client.send(upgradeRequest('orders.test'))
    t.equal((await client.response()).status, status)
    client.destroy()
  }
})

void t.test('a back end that speaks no TLS is told apart', async (t) => {
  const origin = await startRawOrigin({ onData: answerRaw('HTTP/1.1 400 Bad Request\r\n\r\n') })
  t.teardown(() => origin.close())
  const parts = openShop(`https://127.0.0.1:${origin.port}`, { timeouts: { connectMs: 300 } })
  const world = await startInbound(t, parts)
  const client = await connectRaw(world)
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  const { status, body } = await client.response()
  t.equal(status, 504, 'it says nothing to a hello, so the connection is not made in time')
  t.match(body, '"reason":"connect-timeout"')
  client.destroy()
})
