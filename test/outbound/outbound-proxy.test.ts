import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { rawClientOver } from '../support/raw-client.ts'
import { enforced, listenerName, startProxy, withoutRules } from './proxy-fixture.ts'
import { whenAborted } from '../support/when-aborted.ts'

const connectTo = (port: number): string =>
  `CONNECT api.example:${port} HTTP/1.1\r\nHost: api.example:${port}\r\n\r\n`
const get = (port: number): string =>
  `GET http://api.example:${port}/ HTTP/1.1\r\nHost: api.example:${port}\r\n\r\n`

void t.test('createOutboundProxy listens on a Unix socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ringfence-outbound-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'egress.sock')
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const raw = await startRawOrigin({ onConnection: (socket) => void socket.end('banner') })
  t.teardown(() => raw.close())
  const parts = enforced(origin.port, {
    outbound: [{ name: listenerName, resource: 'orders', listen: { socket: path } }],
  })
  const proxy = await startProxy(t, {
    ...parts,
    egress: { ...parts.egress, ports: [origin.port, raw.port] },
  })
  const open = async (): Promise<ReturnType<typeof rawClientOver>> => {
    const socket = connect({ path, allowHalfOpen: true })
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    return rawClientOver(socket)
  }
  const client = await open()
  client.send(get(origin.port))
  t.equal((await client.response()).status, 200)
  const tunnel = await open()
  tunnel.send(connectTo(raw.port))
  await tunnel.until('\r\n\r\nbanner')
  const denied = await open()
  denied.send(connectTo(1))
  t.equal((await denied.response()).status, 403)
  t.equal(proxy.records[0]?.source?.ipAddress, undefined, 'its clients have no address')
  await proxy.swap({
    ...parts,
    outbound: [
      {
        name: listenerName,
        resource: 'orders',
        listen: { socket: path },
        clients: ['0.0.0.0/0', '::/0'],
      },
    ],
  })
  client.send(get(origin.port))
  t.equal((await client.response()).status, 403, 'who has no address is in no prefix')
  for (const one of [client, tunnel, denied]) one.destroy()
  await proxy.close()
  await t.rejects(stat(path), { code: 'ENOENT' })
})

void t.test('a refusal under way on a Unix socket is cut, not ended', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ringfence-outbound-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'egress.sock')
  const origin = await startOrigin((_, response) => void response.write('first'))
  t.teardown(() => origin.close())
  const listen = { name: listenerName, resource: 'orders', listen: { socket: path } }
  const proxy = await startProxy(t, enforced(origin.port, { outbound: [listen] }))
  const socket = connect({ path, allowHalfOpen: true })
  await once(socket, 'connect')
  const client = rawClientOver(socket)
  client.send(get(origin.port))
  await client.until('first')
  await proxy.swap(withoutRules(origin.port, { outbound: [listen] }))
  t.notMatch((await client.rest()).text, /0\r\n\r\n$/)
  client.destroy()
  await proxy.close()
})

void t.test('stopAccepting takes no new connections and lets go on what is open', async (t) => {
  const answers: (() => void)[] = []
  const arrived = Promise.withResolvers<void>()
  const origin = await startOrigin((_, response) => {
    answers.push(() => void response.end('late'))
    arrived.resolve()
  })
  t.teardown(() => origin.close())
  const raw = await startRawOrigin({})
  t.teardown(() => raw.close())
  const parts = enforced(origin.port)
  const proxy = await startProxy(t, {
    ...parts,
    egress: { ...parts.egress, ports: [origin.port, raw.port] },
  })
  const tunnel = await proxy.connect()
  tunnel.send(connectTo(raw.port))
  await tunnel.until('\r\n\r\n')
  const busy = await proxy.connect()
  busy.send(get(origin.port))
  await arrived.promise
  const idle = await proxy.connect()
  idle.send(get(1))
  await idle.response()
  t.equal(proxy.proxy.open, 2)
  proxy.proxy.stopAccepting()
  t.equal((await idle.rest()).how, 'end', 'an idle connection is closed')
  await t.rejects(once(connect(proxy.port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
  for (const answer of answers) answer()
  const answer = await busy.response()
  t.equal(answer.body, 'late')
  t.equal(answer.header('connection'), 'close')
  await busy.rest()
  tunnel.send('still open')
  tunnel.end()
  await tunnel.rest()
  t.same(raw.received, ['still open'])
  await proxy.endLine()
  t.equal(proxy.proxy.open, 0)
})

void t.test('close ends everything with an answer or a reset, and says so', async (t) => {
  const arrived = Promise.withResolvers<void>()
  const origin = await startOrigin(() => arrived.resolve())
  t.teardown(() => origin.close())
  const raw = await startRawOrigin({})
  t.teardown(() => raw.close())
  const dialling = Promise.withResolvers<void>()
  const parts = enforced(origin.port)
  const proxy = await startProxy(
    t,
    { ...parts, egress: { ...parts.egress, ports: [origin.port, raw.port, 444] } },
    {
      dial: (real) => async (request) => {
        if (request.port !== 444) return real(request)
        dialling.resolve()
        await whenAborted(request.signal)
        return { kind: 'failed', reason: 'connect-failed' }
      },
    },
  )
  const tunnel = await proxy.connect()
  tunnel.send(connectTo(raw.port))
  await tunnel.until('\r\n\r\n')
  const busy = await proxy.connect()
  busy.send(get(origin.port))
  await arrived.promise
  const waiting = await proxy.connect()
  waiting.send(connectTo(444))
  await dialling.promise
  const closed = proxy.proxy.close()
  t.equal((await tunnel.rest()).how, 'reset')
  t.equal((await busy.response()).status, 503)
  t.equal((await waiting.response()).status, 503)
  await closed
  const reasons = proxy.records.flatMap(({ end }) => end?.closeReason ?? [])
  t.same(reasons, ['drain-timeout', 'drain-timeout', 'drain-timeout'])
  await proxy.proxy.close()
})

void t.test('nothing is left of clients that abort in any phase', async (t) => {
  const origin = await startOrigin((request, response) => {
    if (request.url === '/slow') return
    response.write('x'.repeat(1000))
    if (request.url === '/half') return
    response.end()
  })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const authority = `api.example:${origin.port}`
  const host = `Host: ${authority}\r\n`
  const phases = [
    '',
    'GET http://api',
    `GET http://${authority}/ HTTP/1.1\r\n${host}`,
    `GET http://${authority}/ HTTP/1.1\r\n${host}\r\n`,
    `GET http://${authority}/slow HTTP/1.1\r\n${host}\r\n`,
    `GET http://${authority}/half HTTP/1.1\r\n${host}\r\n`,
    `POST http://${authority}/slow HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhalf`,
    `POST http://${authority}/slow HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n`,
    `CONNECT ${authority} HTTP/1.1\r\n${host}`,
    `CONNECT ${authority} HTTP/1.1\r\n${host}\r\n`,
    `CONNECT ${authority} HTTP/1.1\r\n${host}\r\nGET /slow HTTP/1.1\r\n\r\n`,
    `CONNECT other.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n`,
    `GET http://${authority}/slow HTTP/1.1\r\n${host}\r\n`.repeat(3),
    `GET http://${authority}/slow HTTP/1.1\r\n${host}\r\nCONNECT ${authority} HTTP/1.1\r\n${host}\r\n`,
    `GET http://${authority}/half HTTP/1.1\r\n${host}\r\nno request at all`,
  ]
  let closed = 0
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(phases.map(async () => proxy.connect()))
    for (const [index, client] of clients.entries()) {
      const socket = client.stream as Socket
      socket.once('close', () => closed++)
      client.send(phases[index] ?? '')
      const leave = (): void => void (round % 2 === 0 ? socket.destroy() : socket.resetAndDestroy())
      setTimeout(leave, round * 3)
    }
    await Promise.all(clients.map(async ({ stream }) => once(stream, 'close')))
  }
  t.equal(closed, 10 * phases.length)
  while (proxy.opened.length !== proxy.ended.length || proxy.proxy.open > 0) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.equal(proxy.connections.size, 0)
  await proxy.swap(withoutRules(origin.port))
  while (origin.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(origin.sockets.size, 0, 'idle connections of the old policy included')
})
