import t from 'tap'
import type { Dial } from '../../src/transport/dial.ts'
import { clientHello, encrypted, serverNames } from '../support/client-hello.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import {
  enforced,
  type FixtureOptions,
  listenerName,
  startProxy,
  withoutRules,
} from './proxy-fixture.ts'

function toOrigin(port: number): FixtureOptions {
  const dial = (real: Dial): Dial => {
    return async (request) => real({ ...request, port })
  }
  return { dial }
}

function ledFrom(originalPort: number, more: Partial<InForceParts> = {}): Partial<InForceParts> {
  return {
    ...more,
    outbound: [{ name: listenerName, resource: 'orders', transparent: { originalPort } }],
  }
}

const alert = (description: number): string =>
  Buffer.from([21, 3, 3, 0, 2, 2, description]).toString('latin1')

void t.test('TLS that was led here goes to the name that it asks for', async (t) => {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('seen') })
  t.teardown(() => origin.close())
  const hello = clientHello('api.example')
  for (const at of [0, 1, 50]) {
    const proxy = await startProxy(t, enforced(443, ledFrom(443)), toOrigin(origin.port))
    const client = await proxy.connect()
    client.send(hello.subarray(0, at))
    await new Promise(setImmediate)
    client.send(hello.subarray(at))
    await client.until('seen')
    t.same(proxy.dialled, ['127.0.0.1:443'])
    client.end()
    t.match(await proxy.endLine(), {
      operationName: 'ClientHello',
      destination: { fullyQualifiedDomainName: 'api.example', port: 443 },
      decision: { reason: 'access-rule' },
      end: { bytesIn: hello.length },
    })
    await proxy.close()
  }
})

void t.test('TLS that was led here is refused by an alert, and nothing is dialled', async (t) => {
  const cases: readonly { note: string; bytes: Buffer; reason: string; alert: number }[] = [
    {
      note: 'a name that no rule allows',
      bytes: clientHello('evil.example'),
      reason: 'no-matching-rule',
      alert: 49,
    },
    { note: 'no name', bytes: clientHello(undefined), reason: 'tls-name-absent', alert: 109 },
    {
      note: 'two names',
      bytes: clientHello('api.example', [serverNames('evil.example')]),
      reason: 'tls-names-several',
      alert: 47,
    },
    { note: 'an address', bytes: clientHello('192.0.2.1'), reason: 'tls-unreadable', alert: 50 },
    {
      note: 'half a hello',
      bytes: clientHello('api.example').subarray(0, 60),
      reason: 'tls-unreadable',
      alert: 50,
    },
    {
      note: 'ECH without a name',
      bytes: clientHello(undefined, [encrypted]),
      reason: 'tls-encrypted',
      alert: 49,
    },
    { note: 'SSH', bytes: Buffer.from('SSH-2.0-x\r\n'), reason: 'not-tls', alert: 10 },
    {
      note: 'HTTP',
      bytes: Buffer.from('GET / HTTP/1.1\r\nHost: api.example\r\n\r\n'),
      reason: 'not-tls',
      alert: 10,
    },
  ]
  for (const { note, bytes, reason, alert: description } of cases) {
    const proxy = await startProxy(t, enforced(443, ledFrom(443, { timeouts: { headerMs: 200 } })))
    const client = await proxy.connect()
    client.send(bytes)
    t.same(await client.rest(), { text: alert(description), how: 'end' }, note)
    client.end()
    t.match(proxy.records, [{ decision: { effect: 'deny', reason } }])
    t.equal(proxy.records.length, 1)
    t.same([proxy.resolved, proxy.dialled], [[], []])
    await proxy.close()
  }
})

void t.test('a connection without a byte is left without a word', async (t) => {
  const proxy = await startProxy(t, enforced(443, ledFrom(443, { timeouts: { headerMs: 200 } })))
  const late = await proxy.connect()
  t.equal((await late.rest()).text, '')
  const ended = await proxy.connect()
  ended.end()
  t.equal((await ended.rest()).text, '')
  t.same(proxy.records, [])
})

void t.test('what cannot be reached is told by an alert too', async (t) => {
  const closed = await startRawOrigin({})
  await closed.close()
  const proxy = await startProxy(t, enforced(443, ledFrom(443)), toOrigin(closed.port))
  const client = await proxy.connect()
  client.send(clientHello('api.example'))
  t.same(await client.rest(), { text: alert(49), how: 'end' })
  client.end()
  t.equal((await proxy.endLine()).end?.closeReason, 'connect-refused')
})

void t.test('ECH goes to its readable name, as the setting for it says', async (t) => {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('seen') })
  t.teardown(() => origin.close())
  const hello = clientHello('api.example', [encrypted])
  const proxy = await startProxy(t, enforced(443, ledFrom(443)), toOrigin(origin.port))
  const client = await proxy.connect()
  client.send(hello)
  await client.until('seen')
  t.match(proxy.records[1], { decision: { effect: 'allow', reason: 'tls-encrypted' } })
  const strict = enforced(443, { ...ledFrom(443), egress: { tls: { encrypted: 'deny' } } })
  const denying = await startProxy(t, strict, toOrigin(origin.port))
  const denied = await denying.connect()
  denied.send(hello)
  t.same(await denied.rest(), { text: alert(49), how: 'end' })
  denied.end()
  t.equal((await denying.endLine()).end?.closeReason, 'tls-encrypted')
})

void t.test('HTTP that was led here is decided by the Host of each request', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  for (const originalPort of [80, 8080]) {
    const proxy = await startProxy(
      t,
      enforced(originalPort, ledFrom(originalPort)),
      toOrigin(origin.port),
    )
    const client = await proxy.connect()
    const port = originalPort === 80 ? '' : `:${originalPort}`
    const ask = async (request: string): Promise<number> => {
      client.send(request)
      return (await client.response()).status
    }
    t.equal(await ask(`GET /1 HTTP/1.1\r\nHost: api.example${port}\r\n\r\n`), 200)
    t.equal(await ask(`GET /2 HTTP/1.1\r\nHost: evil.example${port}\r\n\r\n`), 403)
    t.equal(await ask('GET /3 HTTP/1.1\r\nHost: api.example:81\r\n\r\n'), 421)
    t.equal(await ask(`GET /4 HTTP/1.1\r\nHost: 127.0.0.1${port}\r\n\r\n`), 403)
    t.equal(await ask(`GET /5 HTTP/1.1\r\nHost: api.example${port}\r\n\r\n`), 200)
    t.same(
      origin.seen.map(({ url }) => url),
      ['/1', '/5'],
    )
    t.same(new Set(proxy.dialled), new Set([`127.0.0.1:${originalPort}`]))
    t.same(proxy.resolved, [])
    await proxy.close()
    origin.forget()
  }
})

void t.test('CONNECT to a listener that nobody knows as a proxy is a bad request', async (t) => {
  const proxy = await startProxy(t, enforced(80, ledFrom(80)))
  const client = await proxy.connect()
  client.send('CONNECT api.example:80 HTTP/1.1\r\nHost: api.example\r\n\r\n')
  t.equal((await client.response()).status, 400)
  t.same(proxy.dialled, [])
})

void t.test('TLS from another port than 443 is decided by its name there', async (t) => {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('seen') })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(8443, ledFrom(8443)), toOrigin(origin.port))
  const client = await proxy.connect()
  client.send(clientHello('api.example'))
  await client.until('seen')
  t.match(proxy.records[0], { destination: { port: 8443 } })
})

void t.test('a connection too many is refused in its own language', async (t) => {
  for (const [originalPort, told] of [
    [443, alert(49)],
    [80, 'HTTP/1.1 503 '],
  ] as const) {
    const proxy = await startProxy(
      t,
      enforced(originalPort, ledFrom(originalPort, { limits: { connections: 1 } })),
    )
    await proxy.connect()
    const client = await proxy.connect()
    t.ok((await client.rest()).text.startsWith(told))
    t.match(proxy.records, [{ decision: { reason: 'limit' } }])
    client.end()
    await proxy.close()
  }
})

void t.test('a reload ends what it no longer allows', async (t) => {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('seen') })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(443, ledFrom(443)), toOrigin(origin.port))
  const client = await proxy.connect()
  client.send(clientHello('api.example'))
  await client.until('seen')
  await proxy.swap(withoutRules(443, ledFrom(443)))
  t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
})
