import t from 'tap'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { closedShop, openShop, startInbound } from '../support/inbound-world.ts'
import { answerRaw, startOrigin, startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import {
  clientFrame,
  echoFrames,
  serverFrame,
  switching,
  upgradeRequest,
} from '../support/web-socket.ts'
import { laneUnderTest } from '../support/settings-parts.ts'

void t.test('frames go both ways, and the end writes a second line', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(
    upgradeRequest('orders.test', 'X-Nsp-Perimeter-Id: mine\r\nX-Forwarded-For: 9.9.9.9\r\n'),
  )
  const response = await client.response()
  t.equal(response.status, 101)
  t.equal(response.header('upgrade'), 'websocket')
  t.equal(response.header('sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  t.equal(response.header('x-ms-request-id'), 'correlation-1')
  client.send(clientFrame('hello'))
  await client.until(serverFrame('hello').toString('latin1'))
  client.send(clientFrame('again'))
  await client.until(serverFrame('again').toString('latin1'))
  t.equal(world.proxy.open, 1)
  t.strictSame(origin.seen[0]?.header('x-nsp-perimeter-id'), [])
  t.strictSame(origin.seen[0]?.header('x-forwarded-for'), ['127.0.0.1'])
  t.strictSame(origin.seen[0]?.header('connection'), ['Upgrade'])
  client.end()
  const end = await world.record((record) => record.end !== undefined)
  t.match(end, {
    correlationId: 'correlation-1',
    decision: { effect: 'allow' },
    end: { bytesIn: 22, bytesOut: 14, closeReason: 'complete' },
  })
  t.equal(world.records.length, 2)
  t.equal(world.proxy.open, 0)
  t.equal(world.openConnections.size, 0)
  t.strictSame(world.complaints, [])
})

void t.test('a denied upgrade never reaches the back end', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, closedShop(origin.url))
  const client = await connectRaw(world)
  client.send(upgradeRequest('orders.test'))
  const response = await client.response()
  t.equal(response.status, 403)
  t.match(response.body, '"reason":"no-matching-rule"')
  t.equal((await client.rest()).text, '')
  t.equal(origin.accepted(), 0)
  t.equal(world.records.length, 1)
  await world.quiet()
  t.strictSame(
    world.ended.flatMap(({ kind, status }) => (kind === 'connection' ? [] : [[kind, status]])),
    [['request', 403]],
    'it never was a tunnel',
  )
})

void t.test('what a client sends before the 101 waits for it', async (t) => {
  let backend: Socket | undefined
  let arrived: (() => void) | undefined
  const isThere = new Promise<void>((resolve) => (arrived = resolve))
  const origin = await startRawOrigin({
    onData(socket, text) {
      backend = socket
      if (text.endsWith('\r\n\r\n')) arrived?.()
    },
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send(`${upgradeRequest('orders.test')}GET /smuggled HTTP/1.1\r\nHost: orders.test\r\n\r\n`)
  await isThere
  t.notMatch(origin.received[0], 'smuggled')
  t.match(origin.received[0], 'GET /socket HTTP/1.1\r\n')
  backend?.write(switching)
  t.equal((await client.response()).status, 101)
  if (backend !== undefined && !origin.received[0]?.includes('smuggled'))
    await once(backend, 'data')
  t.match(origin.received[0], 'GET /smuggled')
  client.destroy()
})

void t.test(
  'an ordinary answer to an upgrade is passed on, and nothing early with it',
  async (t) => {
    const cases = [
      {
        note: 'with a length',
        answer: 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\n\r\nnope',
      },
      {
        note: 'in chunks',
        answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n',
      },
    ]
    for (const { note, answer } of cases) {
      await t.test(note, async (t) => {
        const origin = await startRawOrigin({ onData: answerRaw(answer) })
        t.teardown(() => origin.close())
        const world = await startInbound(t, openShop(`http://${origin.authority}`))
        const client = await connectRaw(world)
        client.send(
          `${upgradeRequest('orders.test')}GET /early HTTP/1.1\r\nHost: orders.test\r\n\r\n`,
        )
        const response = await client.response()
        t.equal(response.status, answer.includes('426') ? 426 : 200)
        t.equal(response.body, 'nope')
        t.equal(response.complete, true)
        t.equal((await client.rest()).text, '')
        t.notMatch(origin.received[0], 'early')
        t.equal(world.proxy.open, 0)
      })
    }
  },
)

void t.test(
  'an endless ordinary answer to an upgrade is held back by a client that does not read',
  async (t) => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    let sent = 0
    let stalled: (() => void) | undefined
    const hasStalled = new Promise<void>((resolve) => (stalled = resolve))
    const origin = await startOrigin(undefined, {
      onUpgrade(_, socket) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
        const pump = (): void => {
          let timer = setTimeout(() => stalled?.(), 300)
          while (socket.write(chunk)) sent += chunk.length
          sent += chunk.length
          socket.once('drain', () => {
            clearTimeout(timer)
            pump()
          })
          timer = timer.refresh()
        }
        pump()
      },
    })
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(origin.url))
    const client = await connectRaw(world)
    client.stream.pause()
    client.send(upgradeRequest('orders.test'))
    await hasStalled
    t.ok(sent < 40_000_000, `the back end was held at ${sent} bytes`)
    client.destroy()
  },
)

void t.test('a back end that is cut mid-answer to an upgrade cuts the client off', async (t) => {
  const origin = await startRawOrigin({
    onData(socket, text) {
      if (!text.includes('\r\n\r\n')) return
      socket.write('HTTP/1.1 200 OK\r\n\r\nhalf', () =>
        setTimeout(() => socket.resetAndDestroy(), 20),
      )
    },
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send(upgradeRequest('orders.test'))
  await client.until('half')
  t.equal((await client.rest()).how, 'reset')
  t.match(await world.record(({ end }) => end !== undefined), {
    end: { closeReason: 'backend-reset' },
  })
})

const invalidAnswers = [
  {
    note: 'a 101 to another protocol',
    answer: switching.replace('Upgrade: websocket', 'Upgrade: h2c'),
  },
  { note: 'a 101 without a protocol', answer: 'HTTP/1.1 101 Switching Protocols\r\n\r\n' },
  { note: 'no HTTP', answer: 'SSH-2.0-OpenSSH\r\n\r\n' },
]

void t.test('a back end that answers an upgrade with nonsense is a 502', async (t) => {
  for (const { note, answer } of invalidAnswers) {
    await t.test(note, async (t) => {
      const origin = await startRawOrigin({ onData: answerRaw(answer) })
      t.teardown(() => origin.close())
      const world = await startInbound(t, openShop(`http://${origin.authority}`))
      const client = await connectRaw(world)
      client.send(upgradeRequest('orders.test'))
      const response = await client.response()
      t.equal(response.status, 502)
      t.match(response.body, '"reason":"backend-invalid"')
      t.match(await world.record(({ end }) => end !== undefined), {
        end: { closeReason: 'backend-invalid' },
      })
    })
  }
})

void t.test('a 101 that nobody asked for is a 502', async (t) => {
  const origin = await startRawOrigin({ onData: answerRaw(switching) })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  const response = await client.response()
  t.equal(response.status, 502)
  t.match(response.body, '"reason":"backend-invalid"')
  client.destroy()
})

const ordinary = [
  {
    note: 'h2c, as Java sends it',
    fields: 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n',
  },
  { note: 'two protocols', fields: 'Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n' },
  { note: 'Upgrade without Connection', fields: 'Upgrade: websocket\r\n' },
]

void t.test('any other upgrade is an ordinary request without it', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  for (const { note, fields } of ordinary) {
    const client = await connectRaw(world)
    client.send(`GET / HTTP/1.1\r\nHost: orders.test\r\n${fields}\r\n`)
    t.equal((await client.response()).status, 200, note)
    t.strictSame(origin.seen.at(-1)?.header('upgrade'), [], note)
    t.strictSame(origin.seen.at(-1)?.header('http2-settings'), [], note)
    client.destroy()
  }
})

void t.test('an upgrade that is not a plain request of its own is refused', async (t) => {
  const cases = [
    { note: 'with a body', bytes: upgradeRequest('orders.test', 'Content-Length: 3\r\n') + 'abc' },
    { note: 'by POST', bytes: upgradeRequest('orders.test').replace('GET', 'POST') },
    { note: 'in HTTP/1.0', bytes: upgradeRequest('orders.test').replace('HTTP/1.1', 'HTTP/1.0') },
  ]
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  for (const { note, bytes } of cases) {
    const client = await connectRaw(world)
    client.send(bytes)
    t.equal((await client.response()).status, 400, note)
    client.destroy()
  }
  t.equal(origin.accepted(), 0)
})

void t.test('an upgrade pipelined behind a request has its turn', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n${upgradeRequest('orders.test')}`)
  t.equal((await client.response()).status, 200)
  if (laneUnderTest === 'library') {
    // Node's parser has given it to the others by then.
    t.equal((await client.response()).status, 400)
    t.equal((await client.rest()).text, '')
    t.equal(origin.seen.length, 1)
    return
  }
  t.equal((await client.response()).status, 101)
  client.send(clientFrame('x'))
  await client.until(serverFrame('x').toString('latin1'))
  client.destroy()
  await world.quiet()
})

void t.test('a client that ends before its upgrade was answered has left', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send(upgradeRequest('orders.test'))
  await world.record(({ decision }) => decision.effect === 'allow')
  client.end()
  const { end } = await world.record((record) => record.end !== undefined)
  t.equal(end?.closeReason, 'client-closed')
  await world.quiet()
})

void t.test('an upgrade on a connection that has served requests', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { timeouts: { keepAliveMs: 100 } }))
  const client = await connectRaw(world)
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  t.equal((await client.response()).status, 200)
  client.send(upgradeRequest('orders.test'))
  t.equal((await client.response()).status, 101)
  client.send(clientFrame('x'))
  await client.until(serverFrame('x').toString('latin1'))
  client.destroy()
})

void t.test('each resource has so many upgrades and no more', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { limits: { tunnelsPerResource: 1 } }))
  const first = await connectRaw(world)
  first.send(upgradeRequest('orders.test'))
  t.equal((await first.response()).status, 101)
  const second = await connectRaw(world)
  second.send(upgradeRequest('orders.test'))
  const refused = await second.response()
  t.equal(refused.status, 503)
  t.match(refused.body, '"reason":"limit"')
  t.match(world.records.at(-1), {
    decision: { effect: 'deny', reason: 'limit', resource: { id: { name: 'orders' } } },
  })
  first.end()
  await world.record(({ end }) => end !== undefined)
  const third = await connectRaw(world)
  third.send(upgradeRequest('orders.test'))
  t.equal((await third.response()).status, 101, 'the slot is free again')
  third.destroy()
})

void t.test('an idle and a long-lived upgrade end', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  for (const [timeouts, closeReason] of [
    [{ tunnelIdleMs: 150 }, 'tunnel-idle-timeout'],
    [{ tunnelLifetimeMs: 150 }, 'tunnel-lifetime'],
  ] as const) {
    const world = await startInbound(t, openShop(origin.url, { timeouts }))
    const client = await connectRaw(world)
    client.send(upgradeRequest('orders.test'))
    t.equal((await client.response()).status, 101)
    await client.rest()
    t.match(await world.record(({ end }) => end !== undefined), { end: { closeReason } })
  }
})
