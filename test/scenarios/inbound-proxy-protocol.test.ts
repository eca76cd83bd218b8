import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
import { http2Over } from '../support/http2-client.ts'
import { type InboundWorld, openBank, openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { ipv4Addresses, linkIdTlv, version2Header } from '../support/proxy-header.ts'
import { connectRaw, rawClientOver } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { clientFrame, echoFrames, serverFrame, upgradeRequest } from '../support/web-socket.ts'

/**
 * A load balancer at 127.0.0.2 that has to send a PROXY header. The rule lets 192.0.2.7 in, which it speaks for, and
 * 127.0.0.3, from where clients come by themselves.
 */

type Test = Parameters<typeof startInbound>[0]

const balancer = '127.0.0.2'
const direct = '127.0.0.3'
const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n'
const version1 = 'PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n'
const stranger = 'PROXY TCP4 203.0.113.9 198.51.100.1 50000 443\r\n'

function shopBehind(backend: string, more: Partial<InForceParts> = {}): InForceParts {
  return openShop(backend, {
    inbound: [{ name: 'public', proxyFrom: [`${balancer}/32`] }],
    perimeters: [letIn('orders', ['192.0.2.7/32', `${direct}/32`])],
    ...more,
  })
}

function letIn(
  resource: string,
  addressPrefixes: readonly string[],
): NonNullable<InForceParts['perimeters']>[number] {
  return {
    name: 'shop',
    profiles: [{ name: 'web', accessRules: [{ name: 'office', addressPrefixes }] }],
    associations: [{ resource }],
  }
}

async function startShop(t: Test, more: Partial<InForceParts> = {}) {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  return { origin, world: await startInbound(t, shopBehind(origin.url, more)) }
}

async function from(localAddress: string, { port }: InboundWorld) {
  return connectRaw({ port, localAddress })
}

void t.test(
  'the address in the header is the caller, and the bytes behind it are the request',
  async (t) => {
    const { origin, world } = await startShop(t)
    const headers = [
      { note: 'version 1', header: Buffer.from(version1), address: '192.0.2.7', status: 200 },
      { note: 'version 2', header: version2Header(), address: '192.0.2.7', status: 200 },
      { note: 'a stranger', header: Buffer.from(stranger), address: '203.0.113.9', status: 403 },
      {
        note: 'the balancer for itself: it is the caller',
        header: version2Header({ command: 0x20 }),
        address: balancer,
        status: 403,
      },
      {
        note: 'nobody knows for whom',
        header: Buffer.from('PROXY UNKNOWN\r\n'),
        address: undefined,
        status: 403,
      },
    ]
    for (const { note, header, address, status } of headers) {
      world.forget()
      const client = await from(balancer, world)
      client.send(Buffer.concat([header, Buffer.from(`${get}\r\n`)]))
      t.equal((await client.response()).status, status, note)
      client.send(`${get}\r\n`)
      t.equal((await client.response()).status, status, `${note}, the next request`)
      t.strictSame(
        world.records.map(({ source }) => source?.ipAddress),
        [address, address],
        note,
      )
      client.destroy()
    }
    t.strictSame(origin.seen[0]?.header('x-forwarded-for'), ['192.0.2.7'])
    t.strictSame(world.complaints, [])
  },
)

void t.test(
  'a header that comes byte by byte, with the request behind it, is the same',
  async (t) => {
    const { world } = await startShop(t)
    for (const header of [
      Buffer.from(version1),
      version2Header({ tlvs: [[4, Buffer.alloc(9)]] }),
    ]) {
      const client = await from(balancer, world)
      const socket = client.stream as Socket
      socket.setNoDelay(true)
      const bytes = Buffer.concat([header, Buffer.from(`${get}\r\n`)])
      for (const byte of bytes) {
        client.send(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      t.equal((await client.response()).status, 200)
      client.destroy()
    }
  },
)

void t.test(
  'from the balancer a header is required, and what is none is refused on record',
  async (t) => {
    const { origin, world } = await startShop(t)
    const openings = [
      { note: 'a request', bytes: Buffer.from(`${get}\r\n`) },
      { note: 'a header that does not add up', bytes: version2Header({ family: 0x21 }) },
      { note: 'a header for datagrams', bytes: version2Header({ family: 0x12 }) },
      { note: 'an endless line', bytes: Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`) },
    ]
    for (const { note, bytes } of openings) {
      world.forget()
      const client = await from(balancer, world)
      client.send(bytes)
      t.equal((await client.rest()).text, '', note)
      t.match(
        await world.record(({ detail }) => detail === 'PROXY header that cannot be read'),
        { decision: { effect: 'deny', reason: 'bad-request' }, source: { ipAddress: balancer } },
        note,
      )
      t.equal(world.records.length, 1, note)
    }
    const cut = await from(balancer, world)
    cut.send(version1.slice(0, 20))
    cut.end()
    t.equal((await cut.rest()).text, '')
    await world.record(({ detail }) => detail === 'PROXY header that was cut off')
    world.forget()
    const probe = await from(balancer, world)
    probe.end()
    await probe.rest()
    t.strictSame(world.records, [], 'a probe that says nothing leaves no record')
    t.equal(origin.seen.length, 0)
  },
)

void t.test('a header that takes too long is refused', async (t) => {
  const { world } = await startShop(t, { timeouts: { headerMs: 60 } })
  const client = await from(balancer, world)
  client.send(version1.slice(0, 20))
  t.equal((await client.rest()).text, '')
  await world.record(({ detail }) => detail === 'PROXY header took too long')
})

void t.test('from everybody else a header is a client’s own bytes, and never read', async (t) => {
  const { origin, world } = await startShop(t)
  const plain = await from(direct, world)
  plain.send(`${get}\r\n`)
  t.equal((await plain.response()).status, 200, 'who is no balancer comes without one')
  plain.destroy()
  const seen = origin.seen.length
  const claimed = await from('127.0.0.4', world)
  claimed.send(`${version1}${get}\r\n`)
  t.equal((await claimed.response()).status, 400)
  t.match(await world.record(({ decision }) => decision.reason === 'bad-request'), {
    source: { ipAddress: '127.0.0.4' },
  })
  claimed.destroy()
  const binary = await from('127.0.0.4', world)
  binary.send(Buffer.concat([version2Header(), Buffer.from(`${get}\r\n`)]))
  t.notMatch((await binary.rest()).text, /^HTTP\/1.1 2/)
  const second = await from(balancer, world)
  second.send(`${stranger}${version1}${get}\r\n`)
  t.equal((await second.response()).status, 400, 'a second header is what the client wrote')
  second.destroy()
  t.equal(origin.seen.length, seen)
})

void t.test(
  'who sends a header is believed about nothing else, and no claimed address is believed',
  async (t) => {
    const { world } = await startShop(t, {
      inbound: [
        { name: 'public', proxyFrom: [`${balancer}/32`], trustedProxies: ['203.0.113.9/32'] },
      ],
      headersTrustedFrom: ['203.0.113.9/32'],
    })
    const client = await from(balancer, world)
    client.send(stranger)
    client.send(`${get}X-Forwarded-For: 192.0.2.7\r\n\r\n`)
    t.equal((await client.response()).status, 403)
    client.send(`${get}X-NSP-Subscription-Id: 22222222-2222-2222-2222-222222222222\r\n\r\n`)
    t.equal((await client.response()).status, 403)
    t.match(
      world.records.map(({ removedHeaders, source }) => ({ removedHeaders, source })),
      [
        { removedHeaders: ['X-Forwarded-For'], source: { ipAddress: '203.0.113.9', port: 50_000 } },
        { removedHeaders: ['X-NSP-Subscription-Id'], source: { subscriptions: [] } },
      ],
    )
    client.destroy()
  },
)

void t.test('an upgrade behind the header is judged by its address', async (t) => {
  const { world } = await startShop(t)
  const client = await from(balancer, world)
  client.send(version1 + upgradeRequest('orders.test'))
  t.equal((await client.response()).status, 101)
  client.send(clientFrame('hello'))
  await client.until(serverFrame('hello').toString('latin1'))
  client.destroy()
  const other = await from(balancer, world)
  other.send(stranger + upgradeRequest('orders.test'))
  t.equal((await other.response()).status, 403)
  other.destroy()
})

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }

async function startTlsShop(t: Test) {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const inbound = [{ name: 'public', tls, proxyFrom: [`${balancer}/32`] }]
  return startInbound(t, shopBehind(origin.url, { inbound }), { pem: shown })
}

async function secureFrom(localAddress: string, world: InboundWorld, opening: Buffer | string) {
  const raw = connect({ port: world.port, host: '127.0.0.1', localAddress })
  await once(raw, 'connect')
  raw.write(opening)
  const options = { ca: authority.ca, servername: 'orders.test' }
  return (alpn: string): TLSSocket => connectTls({ socket: raw, ...options, ALPNProtocols: [alpn] })
}

void t.test('the header comes before TLS, whatever is spoken within', async (t) => {
  const world = await startTlsShop(t)
  for (const [opening, status] of [
    [Buffer.from(version1), 200],
    [version2Header({ addresses: ipv4Addresses('203.0.113.9', 1) }), 403],
  ] as const) {
    const secure = (await secureFrom(balancer, world, opening))('http/1.1')
    await once(secure, 'secureConnect')
    const client = rawClientOver(secure)
    client.send(`${get}\r\n`)
    t.equal((await client.response()).status, status)
    client.destroy()
    const http2 = await http2Over((await secureFrom(balancer, world, opening))('h2'))
    t.equal((await http2.exchange('/')).status, status)
    http2.destroy()
  }
  t.strictSame(
    world.records.map(({ source }) => source?.ipAddress),
    ['192.0.2.7', '192.0.2.7', '203.0.113.9', '203.0.113.9'],
  )
  const untrusted = (await secureFrom(direct, world, version1))('http/1.1')
  await new Promise((resolve) => untrusted.once('error', resolve))
  t.notOk(untrusted.authorized)
})

void t.test('the header and the hello of TLS in one segment are told apart', async (t) => {
  const world = await startTlsShop(t)
  const raw = connect({ port: world.port, host: '127.0.0.1', localAddress: balancer })
  await once(raw, 'connect')
  raw.cork()
  raw.write(version1)
  const secure = connectTls({ socket: raw, ca: authority.ca, servername: 'orders.test' })
  setImmediate(() => raw.uncork())
  await once(secure, 'secureConnect')
  const client = rawClientOver(secure)
  client.send(`${get}\r\n`)
  t.equal((await client.response()).status, 200)
  client.destroy()
})

void t.test(
  'in front of TCP the header is taken off, and every byte behind it arrives',
  async (t) => {
    const origin = await startRawOrigin({
      onConnection: (socket) => void socket.write('hello\n'),
    })
    t.teardown(() => origin.close())
    const bank = openBank(origin.port, {
      inbound: [{ name: 'public', resource: 'ledger', proxyFrom: [`${balancer}/32`] }],
      perimeters: [letIn('ledger', ['192.0.2.7/32', `${direct}/32`])],
    })
    const world = await startInbound(t, bank)
    const payload = 'select 1;'.repeat(20_000)
    const client = await from(balancer, world)
    client.send(version1 + payload)
    client.end()
    t.equal((await client.rest()).text, 'hello\n')
    t.equal(origin.received[0], payload)
    t.match(world.records[0], { source: { ipAddress: '192.0.2.7', port: 50_000 } })

    const silent = await from(balancer, world)
    silent.send(version2Header())
    t.equal(await silent.until('\n'), 'hello\n', 'a server that speaks first is heard')
    silent.destroy()

    const other = await from(balancer, world)
    other.send(`${stranger}select 1`)
    t.equal((await other.rest()).text, '')

    const own = await from(direct, world)
    own.send(version1)
    own.end()
    t.equal((await own.rest()).text, 'hello\n')
    t.equal(origin.received[2], version1, 'from others it is payload')
    t.equal(origin.received.length, 3)
  },
)

void t.test(
  'connections that owe a header count against the limit, and the drain ends them',
  async (t) => {
    const { world } = await startShop(t, { limits: { connections: 1 } })
    const owing = await from(balancer, world)
    const late = await from(direct, world)
    late.send(`${get}\r\n`)
    t.equal((await late.response()).status, 503)
    await late.rest()
    world.proxy.stopAccepting()
    t.equal((await owing.rest()).text, '')
  },
)

void t.test('after a reload what is open is judged by who has to send a header now', async (t) => {
  const { origin, world } = await startShop(t)
  const withHeader = await from(balancer, world)
  withHeader.send(`${version1}${get}\r\n`)
  t.equal((await withHeader.response()).status, 200)
  const without = await from(direct, world)
  without.send(`${get}\r\n`)
  t.equal((await without.response()).status, 200)

  await world.reload(
    shopBehind(origin.url, { inbound: [{ name: 'public', proxyFrom: [`${direct}/32`] }] }),
  )
  world.forget()
  for (const client of [withHeader, without]) {
    client.send(`${get}\r\n`)
    t.equal((await client.response()).status, 403)
    client.destroy()
  }
  t.match(
    world.records.map(({ decision, detail }) => ({ reason: decision.reason, detail })),
    [
      { reason: 'unknown-caller', detail: 'PROXY header of a peer that is not believed' },
      { reason: 'unknown-caller', detail: 'no PROXY header from its peer' },
    ],
  )
})

const endpoints = [
  { linkId: 1, name: 'partner', status: 'Approved' },
  { linkId: 2, name: 'applicant', status: 'Pending' },
  { linkId: 3, name: 'outcast', status: 'Rejected' },
] as const

function privateShop(backend: string, more: Partial<InForceParts> = {}): InForceParts {
  return shopBehind(backend, {
    resources: [
      { id: 'orders', hosts: ['orders.test'], backend, privateEndpoints: endpoints },
      { id: 'vault', hosts: ['vault.test'], backend },
    ],
    ...more,
  })
}

void t.test('a private endpoint is what the resource says of its link id', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, privateShop(origin.url))
  const cases = [
    { linkId: 1, reason: 'private-endpoint', detail: 'private endpoint partner: Approved' },
    { linkId: 2, detail: 'private endpoint applicant: Pending' },
    { linkId: 3, detail: 'private endpoint outcast: Rejected' },
    { linkId: 4, detail: 'unknown private endpoint link 4' },
    { linkId: 1, host: 'vault.test', detail: 'unknown private endpoint link 1' },
  ]
  for (const { linkId, host = 'orders.test', reason, detail } of cases) {
    world.forget()
    const client = await from(balancer, world)
    // 192.0.2.7 has a rule; over an endpoint that is not approved it does not count.
    client.send(version2Header({ tlvs: [linkIdTlv(linkId)] }))
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    t.equal((await client.response()).status, reason === undefined ? 403 : 200, detail)
    client.destroy()
    t.match(world.records[0], {
      detail,
      decision: {
        reason: reason ?? 'private-endpoint-not-approved',
        category:
          reason === undefined
            ? 'NspPublicInboundPerimeterRulesDenied'
            : 'NspPrivateInboundAllowed',
      },
    })
  }
})

void t.test('a link id decides before `clients`, and a delivered stream has none', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(
    t,
    privateShop(origin.url, {
      inbound: [
        {
          name: 'public',
          network: 'private',
          clients: [`${balancer}/32`],
          proxyFrom: [`${balancer}/32`],
        },
      ],
    }),
  )
  for (const [tlvs, status] of [
    [[linkIdTlv(3)], 403],
    [[], 200],
  ] as const) {
    const client = await from(balancer, world)
    client.send(
      Buffer.concat([
        version2Header({ addresses: ipv4Addresses('203.0.113.9', 1), tlvs }),
        Buffer.from(`${get}\r\n`),
      ]),
    )
    t.equal((await client.response()).status, status)
    client.destroy()
  }
})

void t.test('an endpoint that is no longer approved ends what is open over it', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, privateShop(origin.url))
  const open = Buffer.concat([
    version2Header({ tlvs: [linkIdTlv(1)] }),
    Buffer.from(upgradeRequest('orders.test')),
  ])
  const client = await from(balancer, world)
  client.send(open)
  t.equal((await client.response()).status, 101)
  await world.reload(
    privateShop(origin.url, {
      resources: [
        {
          id: 'orders',
          hosts: ['orders.test'],
          backend: origin.url,
          privateEndpoints: [{ linkId: 1, name: 'partner', status: 'Rejected' }],
        },
      ],
    }),
  )
  await client.rest()
  t.match(await world.record(({ end }) => end !== undefined), {
    end: { closeReason: 'policy-revoked' },
  })
  const again = await from(balancer, world)
  again.send(open)
  t.equal((await again.response()).status, 403)
  again.destroy()
})
