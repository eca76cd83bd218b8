import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Authority, Issued } from '../../src/certificates/authority.ts'
import { http2Over } from '../support/http2-client.ts'
import {
  connectShowing,
  issueMember,
  memberAuthority,
  memberName,
  type ShowOptions,
  wide,
  writePair,
} from '../support/members.ts'
import { startOrigin } from '../support/origin.ts'
import { rawClientOver } from '../support/raw-client.ts'
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
 * A certificate says who calls: `orders` is Enforced and has no rule, so that only members of its perimeter get in.
 * GHSA of Envoy CVE-2025-66220 (names with NUL), smokescreen#293 (a list of revocations that nobody enforces),
 * pomerium#4614 (certificates that are optional by accident), Caddy CVE-2026-27586 (a missing authority that lets all in).
 */

const [members, partners, strangers, server] = await Promise.all([
  memberAuthority('members'),
  memberAuthority('partners'),
  memberAuthority('strangers'),
  memberAuthority('servers'),
])
const shownByServer = await server.issue({
  commonName: 'orders',
  alternativeNames: [{ type: 'dns', value: 'orders.test' }],
})
const getOrders = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'

interface World extends TestInstance {
  readonly port0: number
  settings(more?: object): Promise<void>
  show(options?: Omit<ShowOptions, 'port'>): ReturnType<typeof connectShowing>
}

interface WorldOptions {
  readonly mode?: 'required' | 'optional'
  readonly lane?: 'relay' | 'library'
  readonly workers?: number
  readonly client?: object
}

async function startWorld(t: Test, options: WorldOptions = {}): Promise<World> {
  const { mode = 'required', lane = 'relay', workers = 1, client } = options
  const origin = await startOrigin(undefined, {
    onUpgrade(_, socket) {
      socket.on('error', () => {})
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
      )
    },
  })
  t.teardown(() => origin.close())
  const files = await writeConfiguration(t, {
    settings: {},
    perimeters: {
      shop: perimeterDocument('shop', {
        perimeterGuid: guidFor('shop'),
        profiles: [{ name: 'web', accessRules: [] }],
        resourceAssociations: ['orders', 'stock'].map((name) => ({
          name,
          privateLinkResource: { id: name },
          profile: { id: 'web' },
          accessMode: 'Enforced',
        })),
      }),
      depot: perimeterDocument('depot', {
        perimeterGuid: guidFor('depot'),
        profiles: [{ name: 'web', accessRules: [] }],
        resourceAssociations: [
          {
            name: 'crates',
            privateLinkResource: { id: 'crates' },
            profile: { id: 'web' },
            accessMode: 'Enforced',
          },
        ],
      }),
    },
  })
  const tls = await writePair(files, 'server', shownByServer)
  await files.write('members.pem', members.certificate)
  await files.write('partners.pem', partners.certificate)
  await files.write('members.crl', await members.revoke([]))
  const settings = async (more: object = {}): Promise<void> =>
    files.write(
      'ringfence.yaml',
      withDefaults({
        lane,
        workers,
        resources: [
          { id: 'orders', hosts: ['orders.test'], backend: origin.url },
          { id: 'stock' },
          { id: 'crates' },
        ],
        inbound: [
          {
            name: 'public',
            listen: { host: '127.0.0.1', port: 0 },
            tls: {
              ...tls,
              clientCertificates: {
                mode,
                authorities: [
                  {
                    caFile: join(files.folder, 'members.pem'),
                    crlFile: join(files.folder, 'members.crl'),
                    perimeters: [guidFor('shop')],
                    subscriptions: [testSubscription],
                  },
                  {
                    caFile: join(files.folder, 'partners.pem'),
                    perimeters: [guidFor('depot')],
                    subscriptions: [testSubscription],
                  },
                ],
                mapping: [{ name: 'DNS:stock.internal', resource: 'stock' }],
                ...client,
              },
            },
          },
        ],
        ...more,
      }),
    )
  await settings()
  const instance = await startInProcess(t, files)
  const port0 = instance.port('public')
  return {
    ...instance,
    port0,
    settings,
    async show(given = {}) {
      const socket = await connectShowing({ port: port0, ca: server.certificate, ...given })
      t.teardown(() => socket.destroy())
      return socket
    },
  }
}

interface Case {
  readonly note: string
  readonly shown: () => Promise<Issued> | undefined
  readonly chain?: () => string
  readonly status: 200 | 403
  /** Why not, where one is required. */
  readonly detail?: RegExp
}

const below = await members.issueAuthority('below')
const stranger = await strangers.issueAuthority('members')
const nul = String.fromCharCode(0)

async function named(...alternativeNames: Parameters<Authority['issue']>[0]['alternativeNames']) {
  return members.issue({ commonName: 'stock', alternativeNames })
}

const cases: readonly Case[] = [
  { note: 'a member', shown: () => issueMember(members, 'stock'), status: 200 },
  {
    note: 'a member by an authority below',
    shown: () => issueMember(below, 'stock'),
    chain: () => below.certificate,
    status: 403,
    detail: /without a list of revocations/,
  },
  {
    note: 'a member by a name that is mapped',
    shown: () => named({ type: 'dns', value: 'stock.internal' }),
    status: 200,
  },
  { note: 'nobody', shown: () => undefined, status: 403, detail: /no client certificate/ },
  {
    note: 'a member by an authority that nobody knows',
    shown: () => issueMember(strangers, 'stock'),
    status: 403,
    detail: /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER/,
  },
  {
    note: 'one whose authority has but the name of ours',
    shown: () => issueMember(stranger, 'stock'),
    chain: () => stranger.certificate,
    status: 403,
    detail: /does not verify/,
  },
  {
    note: 'a member by an authority that may not speak for its perimeter',
    shown: () => issueMember(partners, 'stock', 'depot'),
    status: 403,
    detail: /may not speak for the caller/,
  },
  {
    note: 'a member by its own authority, with a perimeter that is not for it to say',
    shown: () => issueMember(members, 'stock', 'depot'),
    status: 403,
    detail: /may not speak for its perimeter/,
  },
  {
    note: 'one that claims a perimeter whose members we know',
    shown: () => issueMember(members, 'stranger'),
    status: 403,
  },
  {
    note: 'one of a subscription that the authority may not speak for',
    shown: () =>
      named(
        memberName(
          '/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/a/providers/A.B/c/stock',
        ),
      ),
    status: 403,
    detail: /may not speak for the caller/,
  },
  {
    note: 'only a common name',
    shown: () =>
      members.issue({
        commonName: memberName('stock').value,
        alternativeNames: [{ type: 'dns', value: 'a.test' }],
      }),
    status: 403,
    detail: /names no resource/,
  },
  {
    note: 'two SPIFFE IDs',
    shown: () => named(memberName('stock'), memberName('orders')),
    status: 403,
    detail: /SPIFFE ID and another URI/,
  },
  {
    note: 'a SPIFFE ID and a name for somebody else',
    shown: () => named(memberName('orders'), { type: 'dns', value: 'stock.internal' }),
    status: 403,
    detail: /names two resources/,
  },
  {
    note: 'a name that only begins like one that is mapped',
    shown: () => named({ type: 'dns', value: 'stock.internal.evil.test' }),
    status: 403,
    detail: /names no resource/,
  },
  {
    note: 'a name with NUL behind one that is mapped',
    shown: () => named({ type: 'dns', value: `stock.internal${nul}.evil.test` }),
    status: 403,
    detail: /can be misread/,
  },
  {
    note: 'a name that looks like two',
    shown: () => named({ type: 'dns', value: `a.test, URI:${memberName('stock').value}` }),
    status: 403,
    detail: /can be misread/,
  },
  {
    note: 'one for servers only',
    shown: () =>
      members.issue({
        commonName: 'stock',
        alternativeNames: [memberName('stock')],
        usage: 'server',
      }),
    status: 403,
    detail: /INVALID_PURPOSE/,
  },
  {
    note: 'one that has expired',
    shown: () =>
      members.issue({
        commonName: 'stock',
        alternativeNames: [memberName('stock')],
        validity: { until: new Date(Date.now() - 1000) },
      }),
    status: 403,
    detail: /CERT_HAS_EXPIRED/,
  },
  {
    note: 'one that is not valid yet',
    shown: () =>
      members.issue({
        commonName: 'stock',
        alternativeNames: [memberName('stock')],
        validity: { from: new Date(wide.until.getTime() - 1000) },
      }),
    status: 403,
    detail: /CERT_NOT_YET_VALID/,
  },
]

const ways = [
  { mode: 'required', lane: 'relay', alpns: ['http/1.1', 'h2'] },
  { mode: 'required', lane: 'library', alpns: ['http/1.1'] },
  { mode: 'optional', lane: 'relay', alpns: ['http/1.1'] },
] as const

for (const { mode, lane, alpns } of ways) {
  void t.test(`client certificates that are ${mode}, in the ${lane} lane`, async (t) => {
    const world = await startWorld(t, { lane, mode })
    for (const { note, shown, chain, status, detail } of cases) {
      for (const alpn of alpns) {
        const before = (await world.records()).length
        const issued = await shown()
        const socket = await world.show({
          shown: issued,
          ALPNProtocols: [alpn],
          ...(chain === undefined ? {} : { chain: chain() }),
        })
        t.equal(await askOver(socket, alpn), status, `${note}, ${alpn}`)
        const record = await eventually(
          async () => (await world.records())[before],
          (one) => one !== undefined,
        )
        if (status === 200) {
          t.match(record, {
            category: 'NspIntraPerimeterInboundAllowed',
            properties: { reason: 'same-perimeter', source: { resourceId: /\/stock$/ } },
          })
        } else if (mode === 'required') {
          const reason = detail === undefined ? 'no-matching-rule' : 'unknown-caller'
          t.match(record, { properties: { reason } }, `${note}, ${alpn}`)
          if (detail !== undefined) t.match(JSON.stringify(record), detail, note)
        } else t.match(record, { properties: { reason: 'no-matching-rule' } }, note)
      }
    }
  })
}

async function askOver(socket: Awaited<ReturnType<typeof connectShowing>>, alpn: string) {
  if (alpn === 'h2') {
    const client = await http2Over(socket)
    const { status } = await client.exchange('/')
    client.destroy()
    return status
  }
  const client = rawClientOver(socket)
  client.send(getOrders)
  return (await client.response()).status
}

void t.test('nobody resumes, in TLS 1.2 and 1.3', async (t) => {
  const world = await startWorld(t)
  const shown = await issueMember(members, 'stock')
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const how = { shown, minVersion: version, maxVersion: version }
    const first = await world.show(how)
    let session = first.getSession()
    first.on('session', (fresh) => (session = fresh))
    t.equal(await askOver(first, ''), 200)
    const second = await world.show({ ...how, session })
    t.equal(await askOver(second, ''), 200)
    t.equal(second.isSessionReused(), false, version)
  }
})

for (const workers of [1, 2]) {
  void t.test(`a new list of revocations ends what it names, ${workers} workers`, async (t) => {
    const world = await startWorld(t, { workers })
    const [revoked, kept] = await Promise.all([
      issueMember(members, 'stock'),
      issueMember(members, 'stock'),
    ])
    const upgrade = `${getOrders.trimEnd()}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`
    const open = async (shown: Issued, text: string) => {
      const socket = await world.show({ shown })
      const client = rawClientOver(socket)
      client.send(text)
      return {
        socket,
        client,
        status: (await client.response({ bodyless: text === upgrade })).status,
      }
    }
    const tunnels = await Promise.all([open(revoked, upgrade), open(kept, upgrade)])
    const idle = await Promise.all([open(revoked, getOrders), open(kept, getOrders)])
    t.strictSame(
      [...tunnels, ...idle].map(({ status }) => status),
      [101, 101, 200, 200],
    )
    await world.write('members.crl', await members.revoke([revoked.serialNumber]))
    const began = performance.now()
    const closed = once(tunnels[0].socket, 'close')
    const { running } = world
    t.equal((await running.reload('test')).kind, 'reloaded')
    await closed
    t.ok(performance.now() - began < 2000)
    t.equal(tunnels[1].socket.destroyed, false)
    for (const [index, want] of [403, 200].entries()) {
      idle[index]?.client.send(getOrders)
      t.equal((await idle[index]?.client.response())?.status, want)
    }
    await eventually(
      async () => (await world.records()).map(({ properties }) => properties.closeReason),
      (reasons) => reasons.includes('policy-revoked'),
    )
    await eventually(
      async () => JSON.stringify(await world.records()),
      (text) => text.includes('client certificate that is revoked'),
    )
  })
}

void t.test('a list or an authority that cannot be read keeps the old', async (t) => {
  const world = await startWorld(t)
  const shown = await issueMember(members, 'stock')
  for (const [name, text, says] of [
    ['members.crl', 'nothing', /holds no `X509 CRL`/],
    ['members.crl', await partners.revoke([]), /none of the lists/],
    ['members.crl', `${await members.revoke([])}-----BEGIN X509 CRL-----\nAQ`, /damaged/],
    ['members.pem', 'nothing', /holds no `CERTIFICATE`/],
    ['members.pem', shown.certificate, /not that of an authority/],
  ] as const) {
    await world.write(name, text)
    t.match(await world.running.reload('test'), { kind: 'failed' })
    t.match(world.running.status().lastProblems.join(), says)
    t.equal(await askOver(await world.show({ shown }), ''), 200)
    await world.write('members.crl', await members.revoke([]))
    await world.write('members.pem', members.certificate)
  }
})

void t.test(
  'an authority that is gone takes its callers with it, a new one does not adopt them',
  async (t) => {
    const world = await startWorld(t)
    const shown = await issueMember(members, 'stock')
    const client = rawClientOver(await world.show({ shown }))
    client.send(getOrders)
    t.equal((await client.response()).status, 200)
    await world.write('members.pem', strangers.certificate)
    await world.write('members.crl', await strangers.revoke([]))
    t.equal((await world.running.reload('test')).kind, 'reloaded')
    client.send(getOrders)
    t.equal((await client.response()).status, 403)
    t.equal(await askOver(await world.show({ shown }), ''), 403)
    const other = await issueMember(strangers, 'stock')
    t.equal(
      await askOver(await world.show({ shown: other }), ''),
      200,
      'handshakes go by the new one',
    )
  },
)

void t.test('a list of revocations that has expired refuses everybody', async (t) => {
  const world = await startWorld(t)
  const shown = await issueMember(members, 'stock')
  await world.write('members.crl', await members.revoke([], { until: new Date(Date.now() - 1000) }))
  const outcome = await world.running.reload('test')
  t.match(outcome, { kind: 'reloaded' })
  t.match(JSON.stringify(outcome), /list of revocations expired/)
  t.equal(await askOver(await world.show({ shown }), ''), 403)
})

void t.test(
  'what is open ends with its certificate, and so does the connection for further requests',
  async (t) => {
    const world = await startWorld(t)
    const validity = { until: new Date(Date.now() + 2500) }
    const shown = await members.issue({
      commonName: 'stock',
      alternativeNames: [memberName('stock')],
      validity,
    })
    const idle = rawClientOver(await world.show({ shown }))
    idle.send(getOrders)
    t.equal((await idle.response()).status, 200)
    const socket = await world.show({ shown })
    const client = rawClientOver(socket)
    client.send(
      `${getOrders.trimEnd()}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
    t.equal((await client.response({ bodyless: true })).status, 101)
    await once(socket, 'close')
    t.ok(Date.now() > validity.until.getTime() - 1000)
    t.ok(Date.now() < validity.until.getTime() + 2000)
    idle.send(getOrders)
    t.equal((await idle.response()).status, 403)
    t.equal(await askOver(await world.show({ shown }), ''), 403)
  },
)
