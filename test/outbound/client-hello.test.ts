import { once } from 'node:events'
import { createServer as createTlsServer, connect as connectTls } from 'node:tls'
import { Duplex } from 'node:stream'
import t from 'tap'
import type { AccessRecord } from '../../src/audit/record.ts'
import type { Dial } from '../../src/transport/dial.ts'
import { createAuthority } from '../support/certificates.ts'
import { clientHello, encrypted, serverNames } from '../support/client-hello.ts'
import { type RawOrigin, startRawOrigin } from '../support/origin.ts'
import type { RawClient } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { enforced, type FixtureOptions, type ProxyFixture, startProxy } from './proxy-fixture.ts'

const https = 443

/** Whatever port is asked for, the origin is there. */
function toOrigin(port: number): FixtureOptions {
  const dial = (real: Dial): Dial => {
    return async (request) => real({ ...request, port })
  }
  return { dial }
}

function inMode(accessMode: 'Learning' | 'Audit', parts: InForceParts): InForceParts {
  const perimeters = (parts.perimeters ?? []).map((perimeter) => ({
    ...perimeter,
    associations: (perimeter.associations ?? []).map((one) => ({ ...one, accessMode })),
  }))
  return { ...parts, perimeters }
}

async function connectTo(proxy: ProxyFixture, authority: string, early = ''): Promise<RawClient> {
  const client = await proxy.connect()
  client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n${early}`)
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
  return client
}

async function start(
  t: Tap,
  parts: InForceParts,
  origin: Parameters<typeof startRawOrigin>[0] = {},
): Promise<{ proxy: ProxyFixture; origin: RawOrigin }> {
  const raw = await startRawOrigin(origin)
  t.teardown(() => raw.close())
  return { proxy: await startProxy(t, parts, toOrigin(raw.port)), origin: raw }
}

type Tap = Parameters<typeof startProxy>[0]

function told(record: AccessRecord | undefined): string {
  const { effect, reason, enforcedEffect } = record?.decision ?? {}
  const name = record?.destination?.fullyQualifiedDomainName
  return `${record?.operationName} ${effect} ${reason} ${enforcedEffect} ${name} ${record?.end?.closeReason}`
}

const alert = (description: number): string =>
  Buffer.from([21, 3, 3, 0, 2, 2, description]).toString('latin1')

void t.test('TLS to the decided name goes through as it came', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const server = createTlsServer(authority.issue('api.example'), (socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  for (const size of ['usual', 'post-quantum'] as const) {
    const proxy = await startProxy(t, enforced(https), toOrigin(port))
    const client = await connectTo(proxy, 'api.example:443')
    client.stream.removeAllListeners('data')
    const socket = connectTls({
      socket: client.stream,
      servername: 'api.example',
      ca: authority.ca,
      ...(size === 'usual' ? {} : { ecdhCurve: 'X25519MLKEM768' }),
    })
    socket.write('hello')
    const [echo] = await once(socket, 'data')
    t.equal(String(echo), 'hello')
    socket.end()
    const line = await proxy.endLine()
    t.equal(told(line), 'CONNECT allow access-rule allow api.example complete')
    t.ok((line.end?.bytesIn ?? 0) > (size === 'usual' ? 300 : 1500), 'the hello counts too')
    t.equal(proxy.records.length, 2, 'agreement needs no record of its own')
    await proxy.close()
  }
})

void t.test('nothing goes on before the hello is whole, wherever it is cut', async (t) => {
  const bytes = clientHello('api.example')
  for (const at of [1, 5, 6, 100, bytes.length - 1]) {
    const { proxy, origin } = await start(t, enforced(https), {
      onData: (socket, text) => void socket.write(`${text.length}`),
    })
    const client = await connectTo(proxy, 'api.example:443', bytes.toString('latin1', 0, at))
    client.send('')
    await new Promise(setImmediate)
    t.equal(origin.received.join(''), '', 'nothing')
    client.send(bytes.subarray(at))
    await client.until(`${bytes.length}`)
    t.same(origin.received, [bytes.toString('latin1')], `cut at ${at}`)
    await proxy.close()
  }
})

void t.test('what does not plainly ask for the decided name is refused by an alert', async (t) => {
  const two = clientHello('api.example', [serverNames('api.example')])
  const cases: readonly {
    note: string
    bytes: Buffer
    reason: string
    alert: number
    name?: string
  }[] = [
    {
      note: 'another name',
      bytes: clientHello('evil.example'),
      reason: 'name-mismatch',
      alert: 112,
      name: 'evil.example',
    },
    { note: 'no name', bytes: clientHello(undefined), reason: 'tls-name-absent', alert: 109 },
    { note: 'two names', bytes: two, reason: 'tls-names-several', alert: 47 },
    {
      note: 'a trailing dot',
      bytes: clientHello('api.example.'),
      reason: 'tls-unreadable',
      alert: 50,
    },
    {
      note: 'too large',
      bytes: Buffer.concat([Buffer.from([22, 3, 1, 0x3f, 0xff]), Buffer.alloc(16_384, 1)]),
      reason: 'tls-unreadable',
      alert: 50,
    },
    {
      note: 'ECH behind another name',
      bytes: clientHello('front.example', [encrypted]),
      reason: 'tls-encrypted',
      alert: 49,
      name: 'front.example',
    },
    { note: 'SSH', bytes: Buffer.from('SSH-2.0-x\r\n'), reason: 'not-tls', alert: 10 },
    {
      note: 'HTTP',
      bytes: Buffer.from('GET / HTTP/1.1\r\nHost: api.example\r\n\r\n'),
      reason: 'not-tls',
      alert: 10,
    },
  ]
  for (const early of [true, false]) {
    for (const { note, bytes, reason, alert: description, name = 'api.example' } of cases) {
      const { proxy, origin } = await start(t, enforced(https))
      const text = bytes.toString('latin1')
      const client = await connectTo(proxy, 'api.example:443', early ? text : '')
      if (!early) client.send(text)
      t.same(await client.rest(), { text: alert(description), how: 'end' }, note)
      client.end()
      const line = await proxy.endLine()
      t.same(origin.received.join(''), '', 'nothing reached the destination')
      t.same(proxy.records.map(told), [
        'CONNECT allow access-rule allow api.example undefined',
        `ClientHello deny ${reason} deny ${name} undefined`,
        `CONNECT allow access-rule allow api.example ${reason}`,
      ])
      t.equal(new Set(proxy.records.map(({ correlationId }) => correlationId)).size, 1)
      t.match(line.end, { bytesIn: 0, closeReason: reason })
      await proxy.close()
    }
  }
})

void t.test('Learning and Audit let it pass and log what Enforced would have done', async (t) => {
  for (const mode of ['Learning', 'Audit'] as const) {
    for (const bytes of [clientHello('evil.example'), Buffer.from('SSH-2.0-x\r\n')]) {
      const { proxy, origin } = await start(t, inMode(mode, enforced(https)), {
        onData: (socket) => void socket.write('seen'),
      })
      const client = await connectTo(proxy, 'api.example:443')
      client.send(bytes)
      await client.until('seen')
      t.same(origin.received, [bytes.toString('latin1')])
      t.match(told(proxy.records[1]), /^ClientHello allow (name-mismatch|not-tls) deny /)
      await proxy.close()
    }
  }
})

void t.test('GREASE behind the decided name passes and is logged', async (t) => {
  const { proxy } = await start(t, enforced(https), {
    onData: (socket) => void socket.write('seen'),
  })
  const client = await connectTo(proxy, 'api.example:443')
  client.send(clientHello('api.example', [encrypted]))
  await client.until('seen')
  t.equal(told(proxy.records[1]), 'ClientHello allow tls-encrypted allow api.example undefined')
})

void t.test('a client that does not say whom it wants has its time and no more', async (t) => {
  const timeouts = { headerMs: 200 }
  const cases: readonly {
    note: string
    bytes: Buffer
    banner: string
    reason: string
    alert: number
  }[] = [
    { note: 'silence', bytes: Buffer.alloc(0), banner: '', reason: 'tls-unreadable', alert: 50 },
    {
      note: 'half a hello',
      bytes: clientHello('api.example').subarray(0, 90),
      banner: '',
      reason: 'tls-unreadable',
      alert: 50,
    },
    {
      note: 'the server speaks first',
      bytes: Buffer.alloc(0),
      banner: '220 mail\r\n',
      reason: 'not-tls',
      alert: 10,
    },
  ]
  for (const { note, bytes, banner, reason, alert: description } of cases) {
    const { proxy, origin } = await start(t, enforced(https, { timeouts }), {
      onConnection: (socket) => void socket.write(banner),
    })
    const client = await connectTo(proxy, 'api.example:443')
    client.send(bytes)
    t.same(await client.rest(), { text: banner + alert(description), how: 'end' }, note)
    client.end()
    t.equal((await proxy.endLine()).end?.closeReason, reason)
    t.same(origin.received.join(''), '')
    await proxy.close()
  }
})

void t.test('a server that speaks first is not kept waiting where it may', async (t) => {
  const { proxy } = await start(t, inMode('Learning', enforced(https)), {
    onConnection: (socket) => void socket.write('SSH-2.0-server\r\n'),
    onData: (socket) => void socket.write('seen'),
  })
  const client = await connectTo(proxy, 'api.example:443')
  await client.until('SSH-2.0-server\r\n')
  client.send('SSH-2.0-client\r\n')
  await client.until('seen')
  t.match(told(proxy.records[1]), /^ClientHello allow not-tls deny /)
})

void t.test('a client that ends before it is understood', async (t) => {
  const { proxy, origin } = await start(t, enforced(https))
  const half = await connectTo(proxy, 'api.example:443')
  half.send(clientHello('api.example').subarray(0, 50))
  half.end()
  t.same(await half.rest(), { text: alert(50), how: 'end' })
  t.equal((await proxy.endLine()).end?.closeReason, 'tls-unreadable')
  const silent = await connectTo(proxy, 'api.example:443')
  silent.end()
  t.same(await silent.rest(), { text: '', how: 'end' }, 'nothing was asked, nothing is refused')
  await proxy.recordWhere(({ end }) => end?.closeReason === 'complete')
  t.same(origin.received.join(''), '')
})

void t.test(
  'on another port what is no TLS passes at once, and TLS is held to the name',
  async (t) => {
    const { proxy, origin } = await start(t, enforced(5432), {
      onConnection: (socket) => void socket.write('banner'),
      onData: (socket) => void socket.write('seen'),
    })
    const client = await connectTo(proxy, 'api.example:5432')
    await client.until('banner')
    client.send('\0\0\0\x08\x04\xd2\x16\x2f')
    await client.until('seen')
    const fronted = await connectTo(proxy, 'api.example:5432')
    fronted.send(clientHello('evil.example'))
    t.equal((await fronted.rest()).text.slice(-7), alert(112))
    t.equal(origin.received.join('').length, 8)
  },
)

void t.test('a member fronted here sees to the name itself', async (t) => {
  const received: string[] = []
  const proxy = await startProxy(
    t,
    {
      ...enforced(https),
      resources: [
        { id: 'orders' },
        { id: 'stock', hosts: ['stock.example'], backend: 'http://127.0.0.1:1' },
      ],
      perimeters: [
        {
          name: 'shop',
          profiles: [{ name: 'web' }],
          associations: [
            { resource: 'orders', accessMode: 'Enforced' },
            { resource: 'stock', accessMode: 'Enforced' },
          ],
        },
      ],
    },
    {
      deliver: () =>
        new Duplex({
          read() {},
          write(chunk: Buffer, _, done) {
            received.push(chunk.toString('latin1'))
            this.push('seen')
            done()
          },
        }),
    },
  )
  const client = await connectTo(proxy, 'stock.example:443')
  client.send('anything')
  await client.until('seen')
  t.same(received, ['anything'])
})

void t.test('a reload holds what is open to what it said', async (t) => {
  const cases: readonly {
    note: string
    bytes: Buffer
    before: InForceParts
    after: InForceParts
    ends: boolean
  }[] = [
    {
      note: 'another name, Enforced now',
      bytes: clientHello('evil.example'),
      before: inMode('Learning', enforced(https)),
      after: enforced(https),
      ends: true,
    },
    {
      note: 'the decided name, Enforced now',
      bytes: clientHello('api.example'),
      before: inMode('Learning', enforced(https)),
      after: enforced(https),
      ends: false,
    },
    {
      note: 'GREASE, denied now',
      bytes: clientHello('api.example', [encrypted]),
      before: enforced(https),
      after: enforced(https, { egress: { tls: { encrypted: 'deny' } } }),
      ends: true,
    },
  ]
  for (const { note, bytes, before, after, ends } of cases) {
    const { proxy } = await start(t, before, {
      onData: (socket, text) => void socket.write(`${text.length}.`),
    })
    const client = await connectTo(proxy, 'api.example:443')
    client.send(bytes)
    await client.until(`${bytes.length}.`)
    await proxy.swap(after)
    if (ends) t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked', note)
    else {
      client.send('more')
      await client.until(`${bytes.length + 4}.`)
    }
    await proxy.close()
  }
})

void t.test('a hello that a reload overtakes is judged by what is in force then', async (t) => {
  const { proxy, origin } = await start(t, inMode('Learning', enforced(https)))
  const client = await connectTo(proxy, 'api.example:443')
  await proxy.swap(enforced(https))
  client.send(clientHello('evil.example'))
  t.same(await client.rest(), { text: alert(112), how: 'end' })
  t.same(origin.received.join(''), '')
})
