import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connect as connectTls } from 'node:tls'
import type { Issued } from '../../src/certificates/authority.ts'
import { probeInward } from '../../src/doctor/inward-probes.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { parseHostname } from '../../src/wire/hostname.ts'
import { type MemberHeader, writeMemberHeader } from '../../src/wire/member-header.ts'
import {
  connectShowing,
  issueMember,
  memberAuthority,
  memberName,
  writePair,
} from '../support/members.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw, rawClientOver } from '../support/raw-client.ts'
import {
  eventually,
  perimeterDocument,
  startInProcess,
  type TestInstance,
  withDefaults,
  writeConfiguration,
} from '../support/ringfence.ts'
import { guidFor, testSubscription } from '../support/settings-parts.ts'

/**
 * `near` speaks for `stock`; `far` fronts `orders` and `ledger`. All are Enforced members of one perimeter without a rule, so
 * that nothing but the proof of a member lets anybody in.
 */

const members = await memberAuthority()
const servers = await memberAuthority('servers')
const stock = await issueMember(members, 'stock')
const shownByOrders = await servers.issue({
  commonName: 'orders',
  alternativeNames: [{ type: 'dns', value: 'orders.test' }],
})
/** The far instance as other instances know it. */
const instanceCertificate = await members.issue({
  commonName: 'far',
  alternativeNames: [memberName('orders')],
})

const memberOf = (name: string) => ({
  name,
  privateLinkResource: { id: name },
  profile: { id: 'web' },
  accessMode: 'Enforced',
})
const shop = perimeterDocument('shop', {
  perimeterGuid: guidFor('shop'),
  profiles: [{ name: 'web', accessRules: [] }],
  resourceAssociations: ['orders', 'ledger', 'stock'].map(memberOf),
})

interface World {
  readonly near: TestInstance
  readonly far: TestInstance
  readonly proxy: number
}

interface WorldOptions {
  readonly lane?: string
  readonly workers?: number
  readonly shown?: Issued
  /** What the near instance wants to find in the far one's certificate. */
  readonly expected?: string
}

async function startWorld(t: Test, options: WorldOptions = {}): Promise<World> {
  const { lane = 'relay', workers = 1, shown = stock, expected } = options
  const origin = await startOrigin(undefined, {
    onUpgrade(_, socket) {
      socket.on('error', () => {})
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
      )
      socket.pipe(socket)
    },
  })
  t.teardown(() => origin.close())
  const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  t.teardown(() => echo.close())
  const address = echo.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  const perimeters = { shop }
  const farFiles = await writeConfiguration(t, { settings: {}, perimeters })
  const tls = await writePair(farFiles, 'orders', shownByOrders)
  const instanceTls = await writePair(farFiles, 'far', instanceCertificate)
  await farFiles.write('members.pem', members.certificate)
  await farFiles.write('members.crl', await members.revoke([]))
  const here = { host: '127.0.0.1', port: 0 }
  await farFiles.write(
    'ringfence.yaml',
    withDefaults({
      lane,
      workers,
      resources: [
        { id: 'orders', hosts: ['orders.test'], backend: origin.url },
        { id: 'ledger', hosts: ['ledger.test'], backend: `tcp://127.0.0.1:${address.port}` },
        { id: 'stock' },
      ],
      inbound: [
        { name: 'plain', listen: here },
        { name: 'secure', listen: here, tls },
        { name: 'ledger', listen: here, resource: 'ledger' },
        {
          name: 'members',
          listen: here,
          accepts: 'members',
          tls: {
            ...instanceTls,
            clientCertificates: {
              authorities: [
                {
                  caFile: join(farFiles.folder, 'members.pem'),
                  crlFile: join(farFiles.folder, 'members.crl'),
                  perimeters: [guidFor('shop')],
                  subscriptions: [testSubscription],
                },
              ],
            },
          },
        },
      ],
    }),
  )
  const far = await startInProcess(t, farFiles)

  const nearFiles = await writeConfiguration(t, { settings: {}, perimeters })
  const memberCertificate = await writePair(nearFiles, 'stock', shown)
  await nearFiles.write('members.pem', members.certificate)
  const endpoint = {
    endpoint: `127.0.0.1:${far.port('members')}`,
    endpointTls: {
      caFile: join(nearFiles.folder, 'members.pem'),
      name: expected ?? `URI:${memberName('orders').value}`,
    },
  }
  await nearFiles.write(
    'ringfence.yaml',
    withDefaults({
      lane,
      workers,
      resources: [
        { id: 'orders', hosts: ['orders.test'], ...endpoint },
        { id: 'ledger', hosts: ['ledger.test'], ...endpoint },
        { id: 'stock', memberCertificate },
      ],
      outbound: [{ name: 'egress', listen: here, resource: 'stock' }],
    }),
  )
  const near = await startInProcess(t, nearFiles)
  return { near, far, proxy: near.port('egress') }
}

const intra = {
  category: 'NspIntraPerimeterInboundAllowed',
  properties: {
    reason: 'same-perimeter',
    source: { resourceId: /\/stock$/, ipAddress: '127.0.0.1' },
  },
}

async function record(instance: TestInstance, index: number) {
  const all = await eventually(
    () => instance.records(),
    (records) => records.length > index,
  )
  return all[index]
}

async function openTunnel(t: Test, proxy: number, target: string) {
  const client = await connectRaw({ port: proxy })
  t.teardown(() => client.destroy())
  client.send(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  const { status } = await client.response({ bodyless: true })
  return { client, status }
}

for (const options of [{ lane: 'relay' }, { lane: 'library' }, { workers: 2 }]) {
  const { lane = 'relay', workers = 1 } = options
  void t.test(
    `members reach one another across instances: ${lane}, ${workers} workers`,
    async (t) => {
      const { near, far, proxy } = await startWorld(t, options)

      await t.test('plain HTTP, under one correlation id', async (t) => {
        const client = await connectRaw({ port: proxy })
        const url = `http://orders.test:${far.port('plain')}/a`
        for (const index of [0, 1, 2]) {
          client.send(`GET ${url} HTTP/1.1\r\nHost: orders.test:${far.port('plain')}\r\n\r\n`)
          t.match(await client.response(), { status: 200, body: 'ok' })
          const arrived = await record(far, index)
          t.match(arrived, { ...intra, operationName: 'GET' })
          const sent = await record(near, index)
          // It is told once a connection, which is used again.
          t.equal(arrived?.correlationId === sent?.correlationId, index === 0)
        }
        client.destroy()
        const other = await connectRaw({ port: proxy, localAddress: '127.0.0.2' })
        other.send(`GET ${url} HTTP/1.1\r\nHost: orders.test:${far.port('plain')}\r\n\r\n`)
        t.equal((await other.response()).status, 200)
        other.destroy()
        const [one, two, three, four] = await eventually(
          () => far.records(),
          (records) => records.length > 3,
        )
        t.match(four, { properties: { source: { ipAddress: '127.0.0.2' } } }, 'for nobody else')
        t.equal(four?.correlationId, (await record(near, 3))?.correlationId)
        t.equal(new Set([one, two, three, four].map((log) => log?.correlationId)).size, 4)
      })

      await t.test('TLS that passes through', async (t) => {
        const { client, status } = await openTunnel(t, proxy, `orders.test:${far.port('secure')}`)
        t.equal(status, 200)
        const socket = connectTls({
          socket: client.stream,
          ca: servers.certificate,
          servername: 'orders.test',
        })
        await once(socket, 'secureConnect')
        const inside = rawClientOver(socket)
        inside.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
        t.equal((await inside.response()).status, 200)
        inside.send('GET / HTTP/1.1\r\nHost: ledger.test\r\n\r\n')
        t.equal((await inside.response()).status, 421, 'another name than was decided')
        t.match(await record(far, 4), intra)
        t.match(await record(far, 5), { properties: { reason: 'name-mismatch' } })
      })

      await t.test('a WebSocket', async (t) => {
        const client = await connectRaw({ port: proxy })
        t.teardown(() => client.destroy())
        const host = `orders.test:${far.port('plain')}`
        client.send(
          `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
        )
        t.equal((await client.response({ bodyless: true })).status, 101)
        client.send('hello')
        t.equal(await client.until('hello'), 'hello')
        t.match(await record(far, 6), intra)
      })

      await t.test('a member that speaks TCP', async (t) => {
        const { client, status } = await openTunnel(t, proxy, `ledger.test:${far.port('ledger')}`)
        t.equal(status, 200)
        client.send('hello')
        t.equal(await client.until('hello'), 'hello')
        const records = await eventually(
          () => far.records(),
          (all) => all.some(({ operationName }) => operationName === 'TCP'),
        )
        t.match(
          records.find(({ operationName }) => operationName === 'TCP'),
          intra,
        )
      })

      await t.test('a certificate that is revoked ends what is open', async (t) => {
        const { client } = await openTunnel(t, proxy, `ledger.test:${far.port('ledger')}`)
        client.send('hello')
        await client.until('hello')
        await far.write('members.crl', await members.revoke([stock.serialNumber]))
        const began = performance.now()
        t.match(await far.running.reload('test'), { kind: 'reloaded' })
        await client.rest()
        t.ok(performance.now() - began < 2000)
        await eventually(
          async () => (await far.records()).map(({ properties }) => properties.closeReason),
          (reasons) => reasons.includes('policy-revoked'),
        )
        const refused = await connectRaw({ port: proxy, localAddress: '127.0.0.3' })
        const host = `orders.test:${far.port('plain')}`
        refused.send(`GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
        t.equal((await refused.response()).status, 502)
        refused.destroy()
        await eventually(
          async () => JSON.stringify(await far.records()),
          (text) => text.includes('client certificate that is revoked'),
        )
      })
    },
  )
}

const header: MemberHeader = {
  address: parseAddress('192.0.2.7'),
  port: 50_000,
  sender: `URI:${memberName('stock').value}`,
  name: parseHostname('ledger.test') ?? never(),
  targetPort: 0,
  correlationId: 'c0ffee',
}

function never(): never {
  throw new Error('a good name')
}

void t.test('a listener for members takes nobody else', async (t) => {
  const { far } = await startWorld(t)
  const port = far.port('members')
  const good = writeMemberHeader({ ...header, targetPort: far.port('ledger') })
  const strangers = await memberAuthority('strangers')
  const cases: readonly {
    readonly note: string
    readonly shown?: Issued
    readonly bytes?: Buffer
    readonly reason: string
    readonly says?: RegExp
  }[] = [
    { note: 'no certificate', reason: 'unknown-caller', says: /no client certificate/ },
    {
      note: 'of an authority that nobody knows',
      shown: await issueMember(strangers, 'stock'),
      reason: 'unknown-caller',
      says: /does not verify/,
    },
    {
      note: 'of our authority, but outside its scope',
      shown: await issueMember(members, 'stock', 'elsewhere'),
      reason: 'unknown-caller',
      says: /may not speak for/,
    },
    {
      note: 'a sender that is another member',
      shown: await issueMember(members, 'orders'),
      reason: 'unknown-caller',
      says: /sender that is not in the certificate/,
    },
    {
      note: 'a sender that begins like its own',
      shown: await issueMember(members, 'stock'),
      bytes: writeMemberHeader({
        ...header,
        sender: `URI:${memberName('stock2').value}`,
        targetPort: far.port('ledger'),
      }),
      reason: 'unknown-caller',
      says: /sender that is not in the certificate/,
    },
    {
      note: 'no header',
      shown: stock,
      bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      reason: 'bad-request',
    },
    {
      note: 'a name that nobody serves',
      shown: stock,
      bytes: writeMemberHeader({ ...header, name: parseHostname('vault.test') ?? never() }),
      reason: 'unknown-resource',
    },
    {
      note: 'a port that nobody serves',
      shown: stock,
      bytes: writeMemberHeader({ ...header, targetPort: 1 }),
      reason: 'unknown-resource',
    },
  ]
  for (const { note, shown, bytes = good, reason, says } of cases) {
    const before = (await far.records()).length
    const socket = await connectShowing({
      port,
      ca: members.certificate,
      shown,
      checkServerIdentity: () => undefined,
    })
    t.teardown(() => socket.destroy())
    socket.end(Buffer.concat([bytes, Buffer.from('hello')]))
    t.equal((await rawClientOver(socket).rest()).text, '', note)
    const arrived = await record(far, before)
    t.match(arrived, { properties: { reason } }, note)
    if (says !== undefined) t.match(JSON.stringify(arrived), says, note)
  }
  const address = { host: '127.0.0.1', port }
  const services = { isOfOne: false, services: [] }
  const door = {
    name: 'members',
    address,
    protocol: 'member',
    isSecure: true,
    ...services,
  } as const
  t.match(await probeInward(door, 'unlisted.test'), [{ verdict: 'held' }], 'as the doctor sees it')
  const socket = await connectShowing({
    port,
    ca: members.certificate,
    shown: stock,
    checkServerIdentity: () => undefined,
  })
  const client = rawClientOver(socket)
  client.send(Buffer.concat([good, Buffer.from('hello')]))
  t.equal(await client.until('hello'), 'hello')
  client.destroy()
})

void t.test('nothing is said to an instance that is not who it has to be', async (t) => {
  for (const expected of [`URI:${memberName('ledger').value}`, 'DNS:orders.test']) {
    const { near, far, proxy } = await startWorld(t, { expected })
    const client = await connectRaw({ port: proxy })
    const host = `orders.test:${far.port('plain')}`
    client.send(`GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    t.equal((await client.response()).status, 502, expected)
    client.destroy()
    t.match(await record(near, 0), { properties: { reason: 'same-perimeter' } })
    t.match(JSON.stringify(await far.records()), /^(\[\]|.*no PROXY header.*)$/)
  }
})

void t.test('the address that an instance tells matches no rule', async (t) => {
  const { far } = await startWorld(t)
  await far.write('perimeters/shop.yaml', {
    ...shop,
    profiles: [
      {
        name: 'web',
        accessRules: [{ name: 'office', direction: 'Inbound', addressPrefixes: ['192.0.2.0/24'] }],
      },
    ],
    resourceAssociations: [memberOf('orders'), memberOf('ledger')],
  })
  await far.running.reload('test')
  const socket = await connectShowing({
    port: far.port('members'),
    ca: members.certificate,
    shown: await members.issue({ commonName: 'x', alternativeNames: [memberName('stock')] }),
    checkServerIdentity: () => undefined,
  })
  const client = rawClientOver(socket)
  client.send(writeMemberHeader({ ...header, targetPort: far.port('ledger') }))
  t.equal((await client.rest()).text, '')
  t.match(await record(far, 0), {
    properties: { reason: 'no-matching-rule', source: { ipAddress: '192.0.2.7' } },
  })
})
