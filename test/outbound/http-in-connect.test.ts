import t from 'tap'
import type { Dial } from '../../src/transport/dial.ts'
import { clientHello } from '../support/client-hello.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import type { RawClient } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import {
  enforced,
  type FixtureOptions,
  type ProxyFixture,
  startProxy,
  withoutRules,
} from './proxy-fixture.ts'

/** Port 80 of every name is the origin. */
function toOrigin(port: number): FixtureOptions {
  const dial = (real: Dial): Dial => {
    return async (request) => real({ ...request, port })
  }
  return { dial }
}

async function tunnelTo(proxy: ProxyFixture, early = ''): Promise<RawClient> {
  const client = await proxy.connect()
  client.send(`CONNECT api.example:80 HTTP/1.1\r\nHost: api.example:80\r\n\r\n${early}`)
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
  return client
}

const get = (host: string, path = '/'): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

const parts = enforced(80)

function learning(more: Partial<InForceParts> = {}): InForceParts {
  const given = enforced(80, more)
  const perimeters = (given.perimeters ?? []).map((perimeter) => ({
    ...perimeter,
    associations: (perimeter.associations ?? []).map((one) => ({
      ...one,
      accessMode: 'Learning' as const,
    })),
  }))
  return { ...given, perimeters }
}

void t.test(
  'requests inside a CONNECT are served one by one, over what was dialled for it',
  async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    for (const early of [get('api.example', '/1'), '']) {
      const proxy = await startProxy(t, parts, toOrigin(origin.port))
      const client = await tunnelTo(proxy, early)
      if (early === '') client.send(get('api.example', '/1'))
      t.equal((await client.response()).status, 200)
      client.send(
        `POST /2 HTTP/1.1\r\nHost: API.example:80\r\nX-NSP-Subscription-Id: forged\r\nContent-Length: 2\r\n\r\nhi`,
      )
      t.equal((await client.response()).status, 200)
      client.send('GET http://api.example/3 HTTP/1.1\r\nHost: api.example\r\n\r\n')
      t.equal((await client.response()).status, 200)
      t.same(
        origin.seen.map(({ url }) => url),
        ['/1', '/2', '/3'],
      )
      t.same(origin.seen[1]?.header('x-nsp-subscription-id'), [], 'as of any request that leaves')
      t.same(proxy.dialled, ['127.0.0.1:80'], 'once')
      t.same(
        proxy.records.map(({ operationName, decision }) => `${operationName} ${decision.reason}`),
        ['CONNECT access-rule', 'GET access-rule', 'POST access-rule', 'GET access-rule'],
      )
      await proxy.close()
      origin.forget()
    }
  },
)

void t.test(
  'a request inside a CONNECT for another host, port or by CONNECT is refused',
  async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    const cases: readonly { note: string; request: string; status: number; reason: string }[] = [
      { note: 'another host', request: get('evil.example'), status: 421, reason: 'name-mismatch' },
      {
        note: 'another port',
        request: get('api.example:8080'),
        status: 421,
        reason: 'name-mismatch',
      },
      { note: 'an address', request: get('127.0.0.1'), status: 421, reason: 'name-mismatch' },
      {
        note: 'another in absolute-form',
        request: 'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n',
        status: 421,
        reason: 'name-mismatch',
      },
      {
        note: 'two hosts',
        request: 'GET / HTTP/1.1\r\nHost: api.example\r\nHost: evil.example\r\n\r\n',
        status: 400,
        reason: 'bad-request',
      },
      { note: 'no host', request: 'GET / HTTP/1.1\r\n\r\n', status: 400, reason: 'bad-request' },
      {
        note: 'CONNECT',
        request: 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n',
        status: 400,
        reason: 'bad-request',
      },
    ]
    for (const mode of [parts, learning()]) {
      for (const { note, request, status, reason } of cases) {
        for (const isFirst of [true, false]) {
          const proxy = await startProxy(t, mode, toOrigin(origin.port))
          const client = await tunnelTo(proxy)
          if (!isFirst) {
            client.send(get('api.example'))
            t.equal((await client.response()).status, 200)
          }
          client.send(request)
          const answer = await client.response()
          t.equal(answer.status, status, note)
          t.equal(proxy.records.at(-1)?.decision.reason, reason)
          t.equal(origin.seen.length, isFirst ? 0 : 1, 'it went nowhere')
          await proxy.close()
          origin.forget()
        }
      }
    }
  },
)

void t.test('a WebSocket inside a CONNECT is a request like any other', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      )
      socket.on('data', (bytes: Buffer) => void socket.write(bytes))
      socket.on('end', () => socket.end())
    },
  })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, parts, toOrigin(origin.port))
  const client = await tunnelTo(proxy)
  const upgrade = (host: string): string =>
    `GET /socket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`
  client.send(upgrade('api.example'))
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 101 /)
  client.send('frame')
  await client.until('frame')
  const other = await tunnelTo(proxy)
  other.send(upgrade('evil.example'))
  t.equal((await other.response()).status, 421)
})

void t.test('what is no request is refused, or passes where it is only logged', async (t) => {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('seen') })
  t.teardown(() => origin.close())
  const enforcing = await startProxy(t, parts, toOrigin(origin.port))
  const refused = await tunnelTo(enforcing)
  refused.send('SSH-2.0-x\r\n')
  const answer = await refused.response()
  t.equal(answer.status, 403)
  t.match(answer.body, 'not-http')
  t.equal((await refused.rest()).how, 'end')
  refused.end()
  t.equal((await enforcing.endLine()).end?.closeReason, 'not-http')
  t.same(origin.received.join(''), '')
  const learningProxy = await startProxy(t, learning(), toOrigin(origin.port))
  for (const bytes of ['SSH-2.0-x\r\n', 'PRI * HTTP/2.0\r\n', '\0\x01']) {
    const client = await tunnelTo(learningProxy)
    client.send(bytes)
    await client.until('seen')
    t.match(learningProxy.records.at(-1), {
      operationName: 'CONNECT',
      decision: { effect: 'allow', reason: 'not-http', enforcedEffect: 'deny' },
    })
  }
})

void t.test('TLS on port 80 is held to the name as elsewhere', async (t) => {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('seen') })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, parts, toOrigin(origin.port))
  const client = await tunnelTo(proxy)
  client.send(clientHello('api.example'))
  await client.until('seen')
  const other = await tunnelTo(proxy)
  other.send(clientHello('evil.example'))
  t.equal((await other.rest()).text.charCodeAt(6), 112)
  t.equal(origin.accepted(), 2)
})

void t.test('a client that says nothing has its time', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const proxy = await startProxy(
    t,
    enforced(80, { timeouts: { headerMs: 200 } }),
    toOrigin(origin.port),
  )
  const client = await tunnelTo(proxy)
  t.equal((await client.response()).status, 403)
  const silent = await tunnelTo(proxy)
  silent.end()
  await proxy.recordWhere(({ end }) => end?.closeReason === 'client-closed')
  const gone = await tunnelTo(proxy)
  gone.destroy()
  await proxy.recordWhere(({ end }) => end?.closeReason === 'client-closed')
})

void t.test(
  'a reload ends what waits for its first line, and decides each request anew',
  async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, parts, toOrigin(origin.port))
    const waiting = await tunnelTo(proxy)
    const busy = await tunnelTo(proxy)
    busy.send(get('api.example'))
    t.equal((await busy.response()).status, 200)
    await proxy.swap(withoutRules(80))
    t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
    t.equal((await waiting.rest()).how, 'reset')
    busy.send(get('api.example'))
    t.equal((await busy.response()).status, 403)
  },
)

void t.test('one byte of TLS in front does not hide what is no TLS', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  for (const first of ['\x16', '\x16\x02', '\x15\x03\x01\x00\x02\x01Z', '\x80\x2e\x01\x03']) {
    const proxy = await startProxy(t, parts, toOrigin(origin.port))
    const client = await tunnelTo(proxy)
    client.send(`${first}${get('evil.example')}`)
    await client.rest()
    client.end()
    const { end } = await proxy.endLine()
    t.match(end?.closeReason, /^(?:tls-unreadable|not-http)$/, JSON.stringify(first))
  }
  t.same(origin.received.join(''), '', 'nothing went on')
})

void t.test('a CONNECT with a path is no request that is like the one before it', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, parts, toOrigin(origin.port))
  const client = await tunnelTo(proxy)
  client.send(get('api.example', '/1'))
  t.equal((await client.response()).status, 200)
  client.send('CONNECT /y HTTP/1.1\r\nHost: api.example\r\n\r\n')
  t.equal((await client.response()).status, 400)
  t.same(
    origin.seen.map(({ url }) => url),
    ['/1'],
  )
})
