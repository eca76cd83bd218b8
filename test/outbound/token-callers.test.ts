import t, { type Test } from 'tap'
import { startOrigin } from '../support/origin.ts'
import { guid, guidFor, resourceId, testSubscription } from '../support/settings-parts.ts'
import { claimsOf, createIssuerKey, issuerOf, signToken } from '../support/tokens.ts'
import { clientFrame, echoFrames, serverFrame } from '../support/web-socket.ts'
import { enforced, listenerName, startProxy } from './proxy-fixture.ts'
import { ways } from './ways-to-ask.ts'

/** A gateway that knows `orders` and `catalog` by tokens: `orders` may go out, `catalog` may not. */

const key = createIssuerKey('one')
const audience = 'api://gateway'

function gateway(port: number, scope: object = {}) {
  const speaker = {
    perimeters: [guidFor('shop')],
    subscriptions: [guid(testSubscription)],
    ...scope,
  }
  return enforced(port, {
    resources: [{ id: 'orders' }, { id: 'catalog' }, { id: 'vault' }],
    outbound: [
      {
        name: listenerName,
        callers: [
          { resource: 'orders', tokenAudience: audience },
          { resource: 'catalog', tokenAudience: audience },
          { resource: 'vault', prefixes: ['127.0.0.9/32'] },
        ],
      },
    ],
    tokens: { header: 'authorization', issuers: [issuerOf([key])] },
    speakers: new Map([['issuer', speaker]]),
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
          { resource: 'vault', accessMode: 'Enforced' },
        ],
      },
    ],
  })
}

const tokenOf = (resource: string, more: object = {}): string =>
  signToken(key, claimsOf(resourceId(resource).text, { aud: audience, ...more }))
const fieldOf = (token: string): string => `Proxy-Authorization: Bearer ${token}\r\n`

async function start(t: Test) {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  return { origin, fixture: await startProxy(t, gateway(origin.port)) }
}

const strangers = [
  { note: 'no token', fields: '' },
  { note: 'a token for another', fields: fieldOf(tokenOf('orders', { aud: 'api://orders' })) },
  { note: 'a member that is known otherwise', fields: fieldOf(tokenOf('vault')) },
  { note: 'no member', fields: fieldOf(tokenOf('nobody')) },
  { note: 'an expired token', fields: fieldOf(tokenOf('orders', { exp: 1 })) },
  { note: 'a user', fields: fieldOf(tokenOf('orders', { idtyp: 'user' })) },
  {
    note: 'a forged token',
    fields: fieldOf(
      signToken(createIssuerKey('one'), claimsOf(resourceId('orders').text, { aud: audience })),
    ),
  },
  { note: 'two tokens', fields: fieldOf(tokenOf('orders')) + fieldOf(tokenOf('orders')) },
  { note: 'a token for the server', fields: `Authorization: Bearer ${tokenOf('orders')}\r\n` },
  { note: 'another scheme', fields: 'Proxy-Authorization: Basic b3JkZXJzOng=\r\n' },
]

for (const { way, ask, allowed } of ways) {
  void t.test(`${way}: a token says which member asks`, async (t) => {
    const { origin, fixture } = await start(t)
    for (const [member, status] of [
      ['orders', allowed],
      ['catalog', 403],
      ['orders', allowed],
    ] as const) {
      const client = await fixture.connect()
      client.send(ask(origin.port, fieldOf(tokenOf(member))))
      t.equal((await client.response({ bodyless: way === 'CONNECT' })).status, status)
      const decided = fixture.records.findLast(({ end }) => end === undefined)
      t.match(decided, { source: { resourceId: { name: member } } })
      client.destroy()
    }
    t.notOk(origin.seen.some((seen) => seen.header('proxy-authorization').length > 0))
  })

  void t.test(`${way}: whoever proves nothing is nobody, and nothing is dialled`, async (t) => {
    const { origin, fixture } = await start(t)
    for (const { note, fields } of strangers) {
      const client = await fixture.connect()
      client.send(ask(origin.port, fields))
      t.equal((await client.response()).status, 403, note)
      t.match(fixture.records.at(-1), { decision: { reason: 'unknown-caller' } }, note)
      client.destroy()
    }
    t.same([fixture.dialled, origin.accepted()], [[], 0])
  })
}

const upgrade = ways[2] ?? ways[0]

void t.test(
  'what a token let out ends with it, and a connection that is kept is asked again',
  async (t) => {
    const { origin, fixture } = await start(t)
    const exp = Math.floor(Date.now() / 1000) + 2
    const fields = fieldOf(tokenOf('orders', { exp }))
    const kept = await fixture.connect()
    const get = ways[0]?.ask(origin.port, fields) ?? ''
    for (let time = 0; time < 2; time++) {
      kept.send(get)
      t.equal((await kept.response()).status, 200)
    }
    const client = await fixture.connect()
    client.send(upgrade?.ask(origin.port, fields) ?? '')
    t.equal((await client.response()).status, 101)
    client.send(clientFrame('on'))
    await client.until(serverFrame('on').toString('latin1'))
    t.equal((await client.rest()).how, 'reset')
    const lateMs = Date.now() - exp * 1000
    t.ok(lateMs >= 0 && lateMs < 2000, `${lateMs} ms behind the end of the token`)
    kept.send(get)
    t.equal((await kept.response()).status, 403)
    kept.destroy()
  },
)

void t.test(
  'what a token let out ends where its issuer may no longer speak for the member',
  async (t) => {
    for (const scope of [{ subscriptions: [] }, { perimeters: [] }]) {
      const { origin, fixture } = await start(t)
      const client = await fixture.connect()
      client.send(upgrade?.ask(origin.port, fieldOf(tokenOf('orders'))) ?? '')
      t.equal((await client.response()).status, 101)
      await fixture.swap(gateway(origin.port, scope))
      t.equal((await client.rest()).how, 'reset', JSON.stringify(scope))
    }
  },
)
