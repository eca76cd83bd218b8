import t from 'tap'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { clientFrame, echoFrames, serverFrame, switching } from '../support/web-socket.ts'
import { enforced, startProxy, withoutRules } from './proxy-fixture.ts'

const upgrade = (authority: string, more = ''): string =>
  `GET http://${authority}/socket HTTP/1.1\r\nHost: ${authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`

void t.test('a WebSocket in absolute-form becomes a tunnel', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  client.send(upgrade(`api.example:${origin.port}`, 'X-Forwarded-For: 10.0.0.1\r\n'))
  client.send(clientFrame('early'))
  const answer = await client.response()
  t.equal(answer.status, 101)
  t.equal(answer.header('upgrade'), 'websocket')
  t.equal(answer.header('sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  await client.until(serverFrame('early').toString('latin1'))
  client.send(clientFrame('late'))
  await client.until(serverFrame('late').toString('latin1'))
  t.match(origin.seen[0]?.url, '/socket')
  t.same(origin.seen[0]?.header('x-forwarded-for'), [])
  t.same(origin.seen[0]?.header('host'), [`api.example:${origin.port}`])
  client.end()
  await client.rest()
  t.match((await proxy.endLine()).end, { bytesIn: 21, bytesOut: 13, closeReason: 'complete' })
  t.same(
    proxy.ended
      .filter(({ kind }) => kind !== 'connection')
      .map(({ kind, status }) => [kind, status]),
    [
      ['request', 101],
      ['tunnel', undefined],
    ],
  )
})

void t.test(
  'a WebSocket that is not allowed is refused and its early bytes are dropped',
  async (t) => {
    const proxy = await startProxy(t, enforced(443))
    const client = await proxy.connect()
    client.send(upgrade('other.example:443') + clientFrame('early').toString('latin1'))
    const answer = await client.response()
    t.equal(answer.status, 403)
    t.equal(answer.header('connection'), 'close')
    t.same(await client.rest(), { text: '', how: 'end' })
    t.same(proxy.dialled, [])
    t.equal(proxy.records.length, 1)
  },
)

void t.test('a destination that does not switch is passed on as it is', async (t) => {
  const cases: readonly (readonly [note: string, answer: string, status: number])[] = [
    ['refuses', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno', 400],
    ['answers as if nothing had been asked', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200],
    [
      'switches to something else',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      502,
    ],
    ['closes', '', 502],
  ]
  for (const [note, bytes, status] of cases) {
    await t.test(note, async (t) => {
      const origin = await startRawOrigin({
        onData: (socket, text) => {
          if (text.includes('\r\n\r\n')) socket.end(bytes)
        },
      })
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port))
      const client = await proxy.connect()
      client.send(upgrade(`api.example:${origin.port}`))
      const answer = await client.response()
      t.equal(answer.status, status)
      t.ok(answer.complete)
      client.end()
      t.equal((await client.rest()).how, 'end')
    })
  }
})

void t.test(
  'a WebSocket ends with policy-revoked, and counts as a tunnel of its resource',
  async (t) => {
    const origin = await startRawOrigin({
      onData: (socket, text) => {
        if (text.endsWith('\r\n\r\n')) socket.write(switching)
      },
    })
    t.teardown(() => origin.close())
    const parts = { limits: { tunnelsPerResource: 1 } }
    const proxy = await startProxy(t, enforced(origin.port, parts))
    const client = await proxy.connect()
    client.send(upgrade(`api.example:${origin.port}`))
    await client.response()
    const second = await proxy.connect()
    second.send(upgrade(`api.example:${origin.port}`))
    t.equal((await second.response()).status, 503)
    await proxy.swap(withoutRules(origin.port, parts))
    t.equal((await client.rest()).how, 'reset')
    t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
  },
)

void t.test('every other offer to upgrade is dropped', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  const authority = `api.example:${origin.port}`
  for (const [method, offer] of [
    ['GET', 'Upgrade: h2c'],
    ['GET', 'Upgrade: websocket, h2c'],
    ['GET', 'Upgrade: TLS/1.0'],
    ['POST', 'Upgrade: websocket'],
  ] as const) {
    client.send(
      `${method} http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nConnection: Upgrade\r\n${offer}\r\nContent-Length: 0\r\n\r\n`,
    )
    t.equal((await client.response()).status, 200, `${method} ${offer}`)
  }
  t.ok(origin.seen.every((seen) => seen.header('upgrade').length === 0))
  client.send(upgrade(authority, 'Content-Length: 5\r\n') + 'hello')
  t.equal((await client.response()).status, 400, 'an upgrade with content')
})

void t.test('nothing is left of a client that leaves while the destination thinks', async (t) => {
  const arrived = Promise.withResolvers<void>()
  const origin = await startRawOrigin({ onData: () => arrived.resolve() })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  client.send(upgrade(`api.example:${origin.port}`))
  await arrived.promise
  client.destroy()
  t.match((await proxy.endLine()).end?.closeReason, /^client-/)
})
