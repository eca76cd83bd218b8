import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { holdPipe } from '../support/held-pipe.ts'
import { ask } from '../support/http-get.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { eventually, metric, startInProcess, type TestInstance } from '../support/ringfence.ts'
import { writeShop } from '../support/shop.ts'

type Test = Pick<typeof t, 'teardown'>

async function startEcho(t: Test): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function begin(t: Test, onFailure: 'deny' | 'continue') {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const echoPort = await startEcho(t)
  const pipe = holdPipe(t)
  const shop = await writeShop(t, {
    backendPort: origin.port,
    outsidePorts: [echoPort],
    settings: {
      resources: [
        { id: 'orders', hosts: ['orders.test'], backend: origin.url },
        { id: 'vault', backend: `tcp://127.0.0.1:${echoPort}` },
      ],
      inbound: [
        { name: 'public', listen: { host: '127.0.0.1', port: 0 } },
        { name: 'bytes', listen: { host: '127.0.0.1', port: 0 }, resource: 'vault' },
      ],
      audit: { file: pipe.path, flushIntervalMs: 5, bufferBytes: 65_536, onFailure },
    },
  })
  const instance = await startInProcess(t, shop)
  return { origin, echoPort, instance, pipe }
}

async function get(instance: TestInstance): Promise<number> {
  return (await ask({ port: instance.port('public'), path: '/', headers: { host: 'orders.test' } }))
    .status
}

async function readiness(instance: TestInstance) {
  const { status, body } = await ask({ port: instance.port('health'), path: '/readyz' })
  return { status, accessLog: (JSON.parse(body) as { accessLog: string }).accessLog }
}

function stateMetric(instance: TestInstance, state: string): Promise<number> {
  return metric(instance.port('health'), `ringfence_access_log_state{state="${state}"}`)
}

/** What the log itself says of what it lost. */
function lostIn(log: string): number {
  return [...log.matchAll(/"recordsLost":(\d+)/g)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  )
}

/** More than the pipe and the buffer hold. */
const enough = 400

void t.test('deny: a log that nobody reads stops what is new, not what is open', async (t) => {
  const { origin, echoPort, instance, pipe } = await begin(t, 'deny')
  const egress = instance.port('egress')

  // Given a tunnel that is open
  const tunnel = await connectRaw({ port: egress })
  const authority = `api.outside.test:${echoPort}`
  tunnel.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  t.equal((await tunnel.response({ bodyless: true })).status, 200)

  // and a TCP connection
  const bytes = await connectRaw({ port: instance.port('bytes') })
  bytes.send('hello')
  t.equal(await bytes.until('hello'), 'hello')

  // When records fill the pipe and the buffer
  let refusedAfter = 0
  while (refusedAfter < enough && (await get(instance)) === 200) refusedAfter++
  t.ok(refusedAfter < enough, `request ${refusedAfter} was refused`)

  // Then nothing new begins, in any form, and nothing of it reaches a back end
  const reached = origin.seen.length
  const refused = await ask({
    port: instance.port('public'),
    path: '/',
    headers: { host: 'orders.test' },
  })
  t.match(refused, { status: 503, body: /"reason":"limit"/, headers: { 'retry-after': '1' } })
  for (const { note, port, bytes } of [
    {
      note: 'an upgrade',
      port: instance.port('public'),
      bytes: `GET / HTTP/1.1\r\nHost: orders.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    },
    {
      note: 'a CONNECT',
      port: egress,
      bytes: `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
    },
    {
      note: 'a forwarded request',
      port: egress,
      bytes: `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
    },
  ]) {
    const client = await connectRaw({ port })
    client.send(bytes)
    const { status, body } = await client.response()
    t.equal(status, 503, note)
    t.match(body, /"reason":"limit"/, note)
    client.destroy()
  }
  const other = await connectRaw({ port: instance.port('bytes') })
  other.send('hello')
  t.same(await other.rest(), { text: '', how: 'end' }, 'a TCP connection')
  other.end()
  t.equal(origin.seen.length, reached)

  // and what is open goes on
  for (const open of [tunnel, bytes]) {
    open.send('still here')
    t.equal(await open.until('still here'), 'still here')
  }

  // and it is said everywhere, once
  t.same(await readiness(instance), { status: 503, accessLog: 'refusing' })
  t.equal(await stateMetric(instance, 'refusing'), 1)
  const errors = () => instance.log.lines.filter(({ level }) => level === 'error')
  t.match(errors(), [{ text: /records are being lost, new work is refused/ }])

  // When somebody reads, work goes on and the log says what is missing
  let log = ''
  await eventually(
    () => {
      log += pipe.read()
      return instance.running.status().accessLog.state
    },
    (state) => state === 'written',
  )
  t.equal(await get(instance), 200)
  t.same(await readiness(instance), { status: 200, accessLog: 'written' })
  const { lost, accepted } = instance.running.status().accessLog
  await eventually(
    () => (log += pipe.read()).split('\n').length - 1,
    (lines) => lines === accepted,
  )
  t.equal(lostIn(log), lost)
  t.equal(errors().length, 1, 'good news is no error')
  t.match(instance.log.lines.at(-1), { level: 'info', text: /room again: new work is let on/ })
  tunnel.destroy()
  bytes.destroy()
})

void t.test(
  'continue: a log that nobody reads stops nothing, and the loss is counted',
  async (t) => {
    const { instance } = await begin(t, 'continue')
    let answered = 0
    while (answered < enough && (await get(instance)) === 200) answered++
    t.equal(answered, enough)
    const { lost, accepted } = instance.running.status().accessLog
    t.ok(lost > 0)
    // Beside the records there are those that tell of a loss.
    t.ok(lost + accepted >= enough)
    t.same(await readiness(instance), { status: 200, accessLog: 'losing' })
    t.equal(await stateMetric(instance, 'losing'), 1)
    t.match(
      instance.log.lines.filter(({ level }) => level === 'error'),
      [{ text: /records are being lost$/ }],
    )
  },
)
