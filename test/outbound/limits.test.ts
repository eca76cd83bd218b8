import type { ServerResponse } from 'node:http'
import t from 'tap'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { KiB } from '../../src/units.ts'
import { enforced, startProxy } from './proxy-fixture.ts'

const connectTo = (port: number): string =>
  `CONNECT api.example:${port} HTTP/1.1\r\nHost: api.example:${port}\r\n\r\n`
const get = (port: number, more = ''): string =>
  `GET http://api.example:${port}/ HTTP/1.1\r\nHost: api.example:${port}\r\n${more}\r\n`

void t.test('limits.tunnelsPerResource refuses one more tunnel until one has ended', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port, { limits: { tunnelsPerResource: 1 } }))
  const first = await proxy.connect()
  first.send(connectTo(origin.port))
  await first.until('\r\n\r\n')
  const second = await proxy.connect()
  second.send(connectTo(origin.port))
  const answer = await second.response()
  t.equal(answer.status, 503)
  t.equal(answer.header('retry-after'), '1')
  t.equal(JSON.parse(answer.body).error.innererror.reason, 'limit')
  t.match(proxy.records.at(-1)?.decision, { effect: 'deny', reason: 'limit' })
  first.end()
  await proxy.endLine()
  const third = await proxy.connect()
  third.send(connectTo(origin.port))
  t.match(await third.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
})

void t.test('limits.tunnelsPerResource gives back what a failed dial had taken', async (t) => {
  const closed = await startRawOrigin({})
  await closed.close()
  const proxy = await startProxy(t, enforced(closed.port, { limits: { tunnelsPerResource: 1 } }))
  for (let count = 0; count < 3; count++) {
    const client = await proxy.connect()
    client.send(connectTo(closed.port))
    t.equal((await client.response()).status, 502)
  }
})

void t.test('limits.connections answers what is too many, without reading it', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port, { limits: { connections: 1 } }))
  const first = await proxy.connect()
  first.send(get(origin.port))
  t.equal((await first.response()).status, 200)
  const second = await proxy.connect()
  second.send(get(origin.port))
  const answer = await second.response()
  t.equal(answer.status, 503)
  t.equal(answer.header('connection'), 'close')
  second.end()
  t.same(await second.rest(), { text: '', how: 'end' })
  t.match(proxy.records.at(-1), {
    decision: { effect: 'deny', reason: 'limit' },
    operationName: '',
    detail: 'connections',
  })
  t.equal(proxy.records.length, 2)
  first.send(get(origin.port))
  t.equal((await first.response()).status, 200, 'those within the limit go on')
})

void t.test('limits.headerCount and limits.headerBytes bound a head', async (t) => {
  const limits = { headerCount: 10, headerBytes: 4 * KiB }
  const proxy = await startProxy(t, enforced(443, { limits }))
  const many = await proxy.connect()
  many.send(get(443, 'x-one: 1\r\n'.repeat(10)))
  t.equal((await many.response()).status, 431)
  t.equal(proxy.records.at(-1)?.detail, 'too many header lines')
  const large = await proxy.connect()
  large.send(get(443, `x-large: ${'x'.repeat(5 * KiB)}\r\n`))
  t.equal((await large.response()).status, 431)
  t.match(proxy.records.at(-1)?.decision, { effect: 'deny', reason: 'bad-request' })
  const beyond = await proxy.connect()
  beyond.send(get(443, 'a: b\r\n'.repeat(600)))
  t.equal((await beyond.response()).status, 431, 'no field is dropped silently')
  t.same(proxy.dialled, [])
})

void t.test('timeouts.headerMs answers a head that does not arrive', async (t) => {
  const proxy = await startProxy(t, enforced(443, { timeouts: { headerMs: 100 } }))
  const slow = await proxy.connect()
  slow.send('GET http://api.example/ HTTP/1.1\r\nHost:')
  t.equal((await slow.response()).status, 408)
  t.match(proxy.records, [{ decision: { reason: 'bad-request' }, operationName: '' }])
  const silent = await proxy.connect()
  t.equal((await silent.rest()).text, '', 'where nothing was asked there is nothing to answer')
  t.equal(proxy.records.length, 1)
})

void t.test('timeouts.tunnelIdleMs and tunnelLifetimeMs end a tunnel', async (t) => {
  for (const [name, reason] of [
    ['tunnelIdleMs', 'tunnel-idle-timeout'],
    ['tunnelLifetimeMs', 'tunnel-lifetime'],
  ] as const) {
    const origin = await startRawOrigin({})
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port, { timeouts: { [name]: 100 } }))
    const client = await proxy.connect()
    client.send(connectTo(origin.port))
    await client.until('\r\n\r\n')
    t.equal((await client.rest()).how, 'reset')
    t.equal((await proxy.endLine()).end?.closeReason, reason)
  }
})

void t.test(
  'timeouts.bodyIdleMs ends what has stopped moving, and says whose fault it is',
  async (t) => {
    const timeouts = { bodyIdleMs: 150 }
    await t.test('the destination does not answer', async (t) => {
      const origin = await startOrigin(() => undefined)
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port, { timeouts }))
      const client = await proxy.connect()
      client.send(get(origin.port))
      const answer = await client.response()
      t.equal(answer.status, 504)
      t.equal((await proxy.endLine()).end?.closeReason, 'backend-timeout')
      t.equal(JSON.parse(answer.body).error.innererror.reason, 'backend-timeout')
    })
    await t.test('the client stops sending', async (t) => {
      const origin = await startOrigin(() => undefined)
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port, { timeouts }))
      const client = await proxy.connect()
      client.send(
        `POST http://api.example:${origin.port}/ HTTP/1.1\r\nHost: api.example:${origin.port}\r\nContent-Length: 9\r\n\r\nhalf`,
      )
      t.equal((await client.response()).status, 408)
      t.match((await proxy.endLine()).end, { closeReason: 'body-idle-timeout', bytesIn: 4 })
    })
    await t.test('the answer stops coming', async (t) => {
      const origin = await startOrigin((_, response) => {
        response.writeHead(200, { 'content-length': '10' })
        response.write('half')
      })
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port, { timeouts }))
      const client = await proxy.connect()
      client.send(get(origin.port))
      t.equal((await client.response()).complete, false)
      t.equal((await proxy.endLine()).end?.closeReason, 'backend-timeout')
    })
  },
)

void t.test(
  'timeouts.connectMs is for the dial, timeouts.keepAliveMs for idle connections',
  async (t) => {
    const given: number[] = []
    const timeouts = { connectMs: 1234, keepAliveMs: 100 }
    const proxy = await startProxy(t, enforced(443, { timeouts }), {
      dial:
        () =>
        async ({ timeoutMs }) => {
          given.push(timeoutMs)
          return { kind: 'failed', reason: 'connect-timeout' }
        },
    })
    const client = await proxy.connect()
    client.send(get(443))
    t.equal((await client.response()).status, 504)
    t.same(given, [1234])
    t.same(await client.rest(), { text: '', how: 'end' })
    t.equal(proxy.records.filter(({ end }) => end === undefined).length, 1)
  },
)

void t.test('a client that sends far ahead of its answers is told in its turn', async (t) => {
  const held: ServerResponse[] = []
  const allHeld = Promise.withResolvers<void>()
  const origin = await startOrigin((_request, response) => {
    if (held.push(response) === 64) allHeld.resolve()
  })
  t.teardown(() => origin.close())
  // The relay leaves in the kernel what it does not read.
  const proxy = await startProxy(t, enforced(origin.port, { lane: 'library' }))
  const client = await proxy.connect()
  client.send(get(origin.port).repeat(65))
  t.match(await proxy.recordWhere(({ decision }) => decision.effect === 'deny'), {
    decision: { reason: 'limit' },
    detail: 'requests without an answer',
  })
  client.send(get(origin.port).repeat(1000))
  await allHeld.promise
  for (const response of held) response.end('late')
  for (let count = 0; count < 64; count++) t.equal((await client.response()).status, 200)
  const last = await client.response()
  t.equal(last.status, 503)
  t.equal(JSON.parse(last.body).error.innererror.reason, 'limit')
  t.equal((await client.rest()).text, '')
  t.ok(proxy.dialled.length <= 64)
})

void t.test('one that sends thousands at once is cut off', async (t) => {
  const origin = await startOrigin(() => undefined)
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port, { lane: 'library' }))
  const client = await proxy.connect()
  client.send(get(origin.port).repeat(1000))
  t.equal((await client.rest()).how, 'reset')
  t.match(await proxy.recordWhere(({ decision }) => decision.effect === 'deny'), {
    decision: { reason: 'limit' },
  })
  t.ok(proxy.dialled.length <= 64)
})

void t.test(
  'limits.connections: far beyond it connections are dropped, not answered',
  async (t) => {
    const proxy = await startProxy(t, enforced(443, { limits: { connections: 1 } }))
    const clients = await Promise.all(Array.from({ length: 300 }, async () => proxy.connect()))
    const ends = await Promise.all(
      clients.slice(1).map(async (client) => {
        const { text } = await client.rest()
        return text.includes(' 503 ')
      }),
    )
    const answered = ends.filter(Boolean).length
    t.ok(answered >= 200 && answered <= 256, `${answered} were answered`)
    t.equal(proxy.records.length, answered, 'and each of those has its record')
  },
)
