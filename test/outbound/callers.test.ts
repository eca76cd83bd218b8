import t, { type Test } from 'tap'
import { hashSecret } from '../../src/identity/verify-secret.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { clientFrame, echoFrames, serverFrame, upgradeRequest } from '../support/web-socket.ts'
import { enforced, listenerName, type ProxyFixture, startProxy } from './proxy-fixture.ts'
import { ways } from './ways-to-ask.ts'

/** A gateway: `orders` may go out, `catalog` may not, and both have to say who they are. */

const secrets = { orders: 'secret-of-orders', catalog: 'secret-of-catalog' }
const hashes = {
  orders: await hashSecret(Buffer.from(secrets.orders)),
  catalog: await hashSecret(Buffer.from(secrets.catalog)),
  rotated: await hashSecret(Buffer.from('another secret')),
}

type Callers = NonNullable<NonNullable<InForceParts['outbound']>[number]['callers']>

const byBasic: Callers = [
  { resource: 'orders', basic: { user: 'orders', secretHash: hashes.orders } },
  { resource: 'catalog', basic: { user: 'catalog', secretHash: hashes.catalog } },
]

function gateway(port: number, callers = byBasic, more: object = {}): InForceParts {
  return enforced(port, {
    resources: [{ id: 'orders' }, { id: 'catalog' }],
    outbound: [{ name: listenerName, callers, ...more }],
    perimeters: [
      {
        name: 'shop',
        profiles: [
          {
            name: 'web',
            accessRules: [{ name: 'api', fullyQualifiedDomainNames: ['api.example'] }],
          },
          { name: 'none' },
        ],
        associations: [
          { resource: 'orders', accessMode: 'Enforced' },
          { resource: 'catalog', profile: 'none', accessMode: 'Enforced' },
        ],
      },
    ],
  })
}

function basic(user: string, secret: string): string {
  return `Proxy-Authorization: Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}\r\n`
}

const asOrders = basic('orders', secrets.orders)
const asCatalog = basic('catalog', secrets.catalog)

async function startGateway(t: Test, callers = byBasic, more: object = {}) {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const fixture = await startProxy(t, gateway(origin.port, callers, more))
  return { origin, fixture }
}

const strangers = [
  { note: 'no credentials', fields: '', detail: undefined },
  { note: 'a wrong secret', fields: basic('orders', 'guess'), detail: 'wrong credentials' },
  {
    note: "another member's secret",
    fields: basic('orders', secrets.catalog),
    detail: 'wrong credentials',
  },
  { note: 'an unknown user', fields: basic('nobody', secrets.orders), detail: 'wrong credentials' },
  {
    note: 'a user in another case',
    fields: basic('Orders', secrets.orders),
    detail: 'wrong credentials',
  },
  {
    note: 'two credentials',
    fields: asOrders + asCatalog,
    detail: 'credentials that cannot be read',
  },
  {
    note: 'the same twice',
    fields: asOrders + asOrders,
    detail: 'credentials that cannot be read',
  },
  {
    note: 'another scheme',
    fields: 'Proxy-Authorization: Bearer abc\r\n',
    detail: 'credentials that cannot be read',
  },
  { note: 'another spelling', fields: asOrders.replace('-', '_'), detail: undefined },
  { note: 'credentials for the server', fields: asOrders.replace('Proxy-', ''), detail: undefined },
]

for (const { way, ask, allowed } of ways) {
  void t.test(`${way}: credentials say which member asks`, async (t) => {
    const { origin, fixture } = await startGateway(t)
    for (const [fields, status, member] of [
      [asOrders, allowed, 'orders'],
      [asCatalog, 403, 'catalog'],
      [asOrders, allowed, 'orders'],
    ] as const) {
      const client = await fixture.connect()
      client.send(ask(origin.port, fields))
      t.equal((await client.response({ bodyless: way === 'CONNECT' })).status, status)
      t.match(fixture.records.at(-1), { source: { resourceId: { name: member } } })
      client.destroy()
    }
    t.equal(
      origin.seen.some((request) => request.header('proxy-authorization').length > 0),
      false,
    )
  })

  void t.test(`${way}: whoever is no member is asked for credentials`, async (t) => {
    const { origin, fixture } = await startGateway(t)
    for (const { note, fields, detail } of strangers) {
      const client = await fixture.connect()
      client.send(ask(origin.port, fields))
      const response = await client.response()
      t.equal(response.status, 407, note)
      t.match(response.header('proxy-authenticate'), /^Basic realm="ringfence"/, note)
      t.match(response.body, 'unknown-caller', note)
      const record = fixture.records.at(-1)
      t.match(record, { decision: { reason: 'unknown-caller', effect: 'deny' } }, note)
      t.equal(record?.detail, detail, note)
      t.equal(record?.source?.resourceId, undefined, note)
      client.destroy()
    }
    t.strictSame(fixture.resolved, [])
    t.strictSame(fixture.dialled, [])
  })
}

void t.test('each request of a connection is somebody anew', async (t) => {
  const { origin, fixture } = await startGateway(t)
  const client = await fixture.connect()
  const ask = (fields: string): string =>
    `GET http://api.example:${origin.port}/ HTTP/1.1\r\nHost: api.example:${origin.port}\r\n${fields}\r\n`
  const asked = [asOrders, asCatalog, '', asOrders, asOrders, basic('orders', 'guess'), asOrders]
  const statuses: number[] = []
  for (const fields of asked) {
    client.send(ask(fields))
    statuses.push((await client.response()).status)
  }
  t.strictSame(statuses, [200, 403, 407, 200, 200, 407, 200])
  t.equal(origin.accepted(), 1, 'and its own connections are used again')
})

void t.test('connections to a destination are not shared among members', async (t) => {
  const { origin, fixture } = await startGateway(t, [
    ...byBasic,
    { resource: 'other', basic: { user: 'other', secretHash: hashes.rotated } },
  ])
  await fixture.swap({
    ...gateway(origin.port, [
      { resource: 'orders', basic: { user: 'orders', secretHash: hashes.orders } },
      { resource: 'catalog', basic: { user: 'catalog', secretHash: hashes.catalog } },
    ]),
    perimeters: [
      {
        name: 'shop',
        profiles: [
          {
            name: 'web',
            accessRules: [{ name: 'api', fullyQualifiedDomainNames: ['api.example'] }],
          },
        ],
        associations: [
          { resource: 'orders', accessMode: 'Enforced' },
          { resource: 'catalog', accessMode: 'Enforced' },
        ],
      },
    ],
  })
  const client = await fixture.connect()
  for (const [fields, accepted] of [
    [asOrders, 1],
    [asCatalog, 2],
    [asOrders, 2],
    [asCatalog, 2],
  ] as const) {
    client.send(
      `GET http://api.example:${origin.port}/ HTTP/1.1\r\nHost: api.example:${origin.port}\r\n${fields}\r\n`,
    )
    t.equal((await client.response()).status, 200)
    t.equal(origin.accepted(), accepted)
  }
})

void t.test('where a client comes from says it only without credentials', async (t) => {
  const callers: Callers = [
    { resource: 'orders', prefixes: ['127.0.0.1/32'] },
    {
      resource: 'catalog',
      prefixes: ['127.0.0.2/32'],
      basic: { user: 'catalog', secretHash: hashes.catalog },
    },
  ]
  const { origin, fixture } = await startGateway(t, callers)
  const ask = async (localAddress: string, fields: string): Promise<number> => {
    const client = await connectRaw({ port: fixture.port, localAddress })
    client.send(
      `GET http://api.example:${origin.port}/ HTTP/1.1\r\nHost: api.example:${origin.port}\r\n${fields}\r\n`,
    )
    const { status } = await client.response()
    client.destroy()
    return status
  }
  t.equal(await ask('127.0.0.1', ''), 200)
  t.equal(await ask('127.0.0.2', ''), 403)
  t.equal(await ask('127.0.0.3', ''), 407)
  t.equal(await ask('127.0.0.1', asCatalog), 403, 'credentials say it alone')
  t.equal(await ask('127.0.0.1', basic('catalog', 'guess')), 407)
})

void t.test('a gateway that knows addresses alone asks for no credentials', async (t) => {
  const { origin, fixture } = await startGateway(t, [
    { resource: 'orders', prefixes: ['192.0.2.0/24'] },
  ])
  const client = await fixture.connect()
  client.send(
    `GET http://api.example:${origin.port}/ HTTP/1.1\r\nHost: api.example:${origin.port}\r\n${asOrders}\r\n`,
  )
  const response = await client.response()
  t.equal(response.status, 403)
  t.equal(response.header('proxy-authenticate'), undefined)
})

void t.test('`clients` of a gateway bounds who may present credentials', async (t) => {
  const { origin, fixture } = await startGateway(t, byBasic, { clients: ['192.0.2.0/24'] })
  const client = await fixture.connect()
  client.send(
    `GET http://api.example:${origin.port}/ HTTP/1.1\r\nHost: api.example:${origin.port}\r\n${asOrders}\r\n`,
  )
  t.equal((await client.response()).status, 407)
})

void t.test('a secret that is withdrawn or replaced ends what is open by it', async (t) => {
  const cases: readonly {
    readonly note: string
    readonly callers: Callers
    readonly goesOn: boolean
  }[] = [
    {
      note: 'replaced',
      callers: [{ resource: 'orders', basic: { user: 'orders', secretHash: hashes.rotated } }],
      goesOn: false,
    },
    { note: 'gone', callers: byBasic.slice(1), goesOn: false },
    {
      note: "another member's",
      callers: [{ resource: 'catalog', basic: { user: 'orders', secretHash: hashes.orders } }],
      goesOn: false,
    },
    { note: 'as it was, in another order', callers: byBasic.toReversed(), goesOn: true },
  ]
  for (const { note, callers, goesOn } of cases) {
    const { origin, fixture } = await startGateway(t)
    const client = await openWebSocketTunnel(fixture, origin.port)
    await fixture.swap(gateway(origin.port, callers))
    if (goesOn) {
      client.send(clientFrame('still'))
      await client.until(serverFrame('still').toString('latin1'))
    } else {
      await client.rest()
      t.match(await fixture.endLine(), { end: { closeReason: 'policy-revoked' } }, note)
    }
    await fixture.close()
  }
})

async function openWebSocketTunnel(fixture: ProxyFixture, port: number) {
  const client = await fixture.connect()
  client.send(
    `CONNECT api.example:${port} HTTP/1.1\r\nHost: api.example:${port}\r\n${asOrders}\r\n`,
  )
  await client.until('\r\n\r\n')
  client.send(upgradeRequest('api.example'))
  await client.until('\r\n\r\n')
  return client
}

void t.test(
  'a flood of wrong secrets holds up nobody who is known, and is refused as a limit',
  async (t) => {
    const { origin, fixture } = await startGateway(t)
    const known = await fixture.connect()
    const ask = (fields: string): string =>
      `GET http://api.example:${origin.port}/ HTTP/1.1\r\nHost: api.example:${origin.port}\r\n${fields}\r\n`
    known.send(ask(asOrders))
    t.equal((await known.response()).status, 200)
    const flood = await Promise.all(Array.from({ length: 24 }, () => fixture.connect()))
    for (const [index, client] of flood.entries())
      client.send(ask(basic('orders', `guess-${index}`)))
    const answers = flood.map(async (client) => (await client.response()).status)
    let waiting = true
    const all = Promise.all(answers).finally(() => (waiting = false))
    let served = 0
    while (waiting) {
      known.send(ask(asOrders))
      t.equal((await known.response()).status, 200)
      served++
    }
    const statuses = await all
    t.ok(served > 1, `${served} requests meanwhile`)
    t.ok(statuses.includes(407) && statuses.includes(503), statuses.join())
    t.equal(statuses.filter((status) => status === 407 || status === 503).length, 24)
    t.match(await fixture.recordWhere(({ decision }) => decision.reason === 'limit'), {
      detail: 'credentials that wait to be verified',
    })
  },
)

void t.test('a member that this instance fronts is told which caller it was', async (t) => {
  const { origin, fixture } = await startGateway(t)
  const parts = gateway(origin.port)
  await fixture.swap({
    ...parts,
    resources: [
      { id: 'orders' },
      { id: 'catalog' },
      { id: 'vault', hosts: ['vault.example'], backend: 'http://127.0.0.1:1' },
    ],
    perimeters: (parts.perimeters ?? []).map((perimeter) => ({
      ...perimeter,
      associations: [...(perimeter.associations ?? []), { resource: 'vault' }],
    })),
  })
  for (const fields of [asOrders, asCatalog]) {
    const client = await fixture.connect()
    client.send(`CONNECT vault.example:443 HTTP/1.1\r\nHost: vault.example:443\r\n${fields}\r\n`)
    await client.response()
    client.destroy()
  }
  t.match(
    fixture.delivered.map(({ delivery }) => delivery.source.name),
    ['orders', 'catalog'],
  )
})

void t.test('no secret is in a record', async (t) => {
  const { origin, fixture } = await startGateway(t)
  for (const fields of [asOrders, asCatalog, basic('orders', 'planted-secret')]) {
    const client = await fixture.connect()
    client.send(
      `GET http://api.example:${origin.port}/ HTTP/1.1\r\nHost: api.example:${origin.port}\r\n${fields}\r\n`,
    )
    const { body } = await client.response()
    const said =
      body +
      JSON.stringify(
        fixture.records.map(({ source, detail, destination }) => [source, detail, destination]),
      )
    for (const secret of [...Object.values(secrets), ...Object.values(hashes), 'planted-secret']) {
      t.notOk(said.includes(secret))
      t.notOk(said.includes(Buffer.from(secret).toString('base64').slice(0, 12)))
    }
    client.destroy()
  }
})
