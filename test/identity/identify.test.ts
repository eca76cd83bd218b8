import t, { type Test } from 'tap'
import { collectEvidence, parsePeer } from '../../src/identity/evidence.ts'
import { identify } from '../../src/identity/identify.ts'
import type { Delivery } from '../../src/identity/caller.ts'
import type { Proof, Statement } from '../../src/identity/proof.ts'
import { buildInForce } from '../support/in-force.ts'
import {
  address,
  guid,
  guidFor,
  hostname,
  prefix,
  resourceId,
  testSubscription,
} from '../support/settings-parts.ts'

const otherSubscription = '22222222-2222-2222-2222-222222222222'
const shopGuid = guidFor('shop')
const billingGuid = guidFor('billing')
const unknownGuid = '99999999-9999-4999-8999-999999999999'

const { snapshot } = buildInForce({
  resources: [
    { id: 'orders', hosts: ['orders.example'] },
    { id: 'invoices', hosts: ['invoices.example'] },
    { id: 'loner', hosts: ['loner.example'] },
  ],
  perimeters: [
    {
      name: 'shop',
      guid: shopGuid,
      profiles: [{ name: 'web' }],
      associations: [{ resource: 'orders' }],
    },
    {
      name: 'billing',
      guid: billingGuid,
      profiles: [{ name: 'web' }],
      associations: [{ resource: 'invoices' }],
    },
  ],
})

const orders = resourceId('orders').text
const loner = resourceId('loner').text
const stranger = resourceId('stranger', otherSubscription).text

/** A gateway is believed about identity, a proxy about addresses, `both` about both. */
const rules = {
  headers: {
    subscription: 'x-nsp-subscription-id',
    perimeter: 'x-nsp-perimeter-id',
    resource: 'x-nsp-resource-id',
  },
  headersTrustedFrom: [prefix('10.0.1.0/24'), prefix('10.0.3.3/32')],
  trustedProxies: [prefix('10.0.2.0/24'), prefix('10.0.3.3/32'), prefix('2001:db8:2::/64')],
  forwardedHeader: 'x-forwarded-for' as const,
  speakers: new Map([
    [
      'known',
      {
        perimeters: [shopGuid, billingGuid, guid(unknownGuid)],
        subscriptions: [guid(testSubscription), guid(otherSubscription)],
      },
    ],
  ]),
}
const gateway = '10.0.1.1'
const proxy = '10.0.2.2'
const both = '10.0.3.3'
const client = '203.0.113.9'

interface Case {
  readonly note: string
  readonly from: string | undefined
  readonly raw?: readonly string[]
  readonly forwardedHeader?: 'forwarded'
  readonly mayLackFields?: boolean
  readonly delivery?: Delivery
  readonly certificate?: Partial<Statement>
  readonly token?: Partial<Statement>
  readonly want: string
}

/** `address:port subscriptions perimeters resource -removed…`, or the detail of a 400. */
function run(one: Case): string {
  const {
    from,
    raw = [],
    delivery,
    forwardedHeader,
    mayLackFields = false,
    certificate,
    token,
  } = one
  const used = forwardedHeader === undefined ? rules : { ...rules, forwardedHeader }
  const evidence = collectEvidence({
    rawHeaders: raw,
    peer: parsePeer(from),
    peerPort: 4711,
    listener: 'public',
    headers: used.headers,
    forwardedHeader: used.forwardedHeader,
    mayLackFields,
    delivery,
    certificate: certificate && proof(certificate),
    token: token && { kind: 'proof', proof: proof(token) },
  })
  const result = identify(evidence, used, { snapshot, audience: undefined, now: 0 })
  if (result.kind === 'bad-request') return `400 ${result.detail}`
  const { caller, port, removedHeaders } = result
  const words = [
    `${caller.address?.text ?? 'nowhere'}:${port ?? ''}`,
    ...caller.subscriptions.map((guid) => `sub=${guid.slice(0, 4)}`),
    ...caller.perimeters.map((guid) => `nsp=${nameOf(guid)}`),
    ...(caller.resourceId === undefined ? [] : [`res=${caller.resourceId.name}`]),
    ...removedHeaders.map((name) => `-${name}`),
  ]
  return words.join(' ')
}

function proof(said: Partial<Statement>): Proof {
  const nothing = {
    resource: undefined,
    subscription: undefined,
    perimeters: [],
  }
  return { speaker: 'known', statement: { ...nothing, ...said }, expiresAt: 1 }
}

function nameOf(guid: string): string {
  return guid === shopGuid ? 'shop' : guid === billingGuid ? 'billing' : 'unknown'
}

function check(t: Test, cases: readonly Case[]): void {
  for (const one of cases) t.equal(run(one), one.want, one.note)
}

void t.test('identity headers count only from a peer that is believed about them', async (t) => {
  const subscription = ['X-Nsp-Subscription-Id', otherSubscription]
  check(t, [
    {
      note: 'a client writes itself into a subscription (oauth2-proxy#877)',
      from: client,
      raw: subscription,
      want: '203.0.113.9:4711 -X-Nsp-Subscription-Id',
    },
    {
      note: 'a proxy that is believed about addresses is not believed about identity',
      from: proxy,
      raw: subscription,
      want: '10.0.2.2:4711 -X-Nsp-Subscription-Id',
    },
    {
      note: 'the gateway is believed',
      from: gateway,
      raw: subscription,
      want: '10.0.1.1:4711 sub=2222',
    },
    {
      note: 'the peer counts, not the address that a proxy forwards: a client cannot pose as the gateway',
      from: proxy,
      raw: [...subscription, 'X-Forwarded-For', gateway],
      want: '10.0.1.1: -X-Nsp-Subscription-Id',
    },
    {
      note: 'an IPv4-mapped peer is the IPv4',
      from: `::ffff:${gateway}`,
      raw: subscription,
      want: '10.0.1.1:4711 sub=2222',
    },
    {
      note: 'a socket that is gone has no address and is believed about nothing (CVE-2023-2968)',
      from: undefined,
      raw: [...subscription, 'X-Forwarded-For', '192.0.2.1'],
      want: 'nowhere:4711 -X-Forwarded-For -X-Nsp-Subscription-Id',
    },
    {
      note: 'every spelling is noted, none is believed (CVE-2025-64484)',
      from: client,
      raw: ['x_nsp_subscription_id', 'a', 'X.Nsp_Perimeter-Id', 'b', 'X-NSP-RESOURCE-ID', 'c'],
      want: '203.0.113.9:4711 -x_nsp_subscription_id -X.Nsp_Perimeter-Id -X-NSP-RESOURCE-ID',
    },
    {
      note: 'garbage from a client is no reason for a 400',
      from: client,
      raw: ['X-Nsp-Subscription-Id', '\u0000', 'X-Nsp-Subscription-Id', ''],
      want: '203.0.113.9:4711 -X-Nsp-Subscription-Id -X-Nsp-Subscription-Id',
    },
  ])
})

void t.test('what a believed peer says must have one meaning', async (t) => {
  const name = 'X-Nsp-Subscription-Id'
  check(t, [
    {
      note: 'two values: one of them may be the client’s (CVE-2026-26308)',
      from: gateway,
      raw: [name, otherSubscription, name, testSubscription],
      want: '400 several subscription headers',
    },
    {
      note: 'twice the same',
      from: gateway,
      raw: [name, otherSubscription, name.toLowerCase(), otherSubscription],
      want: '400 several subscription headers',
    },
    {
      note: 'a second spelling is the client’s',
      from: gateway,
      raw: [name, otherSubscription, 'X_Nsp_Subscription_Id', testSubscription],
      want: '400 several subscription headers',
    },
    {
      note: 'only another spelling: the gateway removed its own and overlooked this one',
      from: gateway,
      raw: ['X_Nsp_Subscription_Id', testSubscription],
      want: '400 subscription header in another spelling',
    },
    ...[
      '',
      'x',
      `${otherSubscription},${testSubscription}`,
      `{${otherSubscription}}`,
      `/subscriptions/${otherSubscription}/`,
      `/subscriptions/${otherSubscription}/resourceGroups/a`,
      ` ${otherSubscription}`,
    ].map((value) => ({
      note: `subscription ${value}`,
      from: gateway,
      raw: [name, value],
      want: '400 subscription header that cannot be parsed',
    })),
    ...['', 'shop', `/subscriptions/${unknownGuid}`, `${unknownGuid},${shopGuid}`].map((value) => ({
      note: `perimeter ${value}`,
      from: gateway,
      raw: ['X-Nsp-Perimeter-Id', value],
      want: '400 perimeter header that cannot be parsed',
    })),
    ...['', 'orders', `${orders}/`, `${orders},${loner}`].map((value) => ({
      note: `resource ${value}`,
      from: gateway,
      raw: ['X-Nsp-Resource-Id', value],
      want: '400 resource header that cannot be parsed',
    })),
    {
      note: 'a subscription as rules spell it',
      from: gateway,
      raw: [name, `/Subscriptions/${otherSubscription}`],
      want: '10.0.1.1:4711 sub=2222',
    },
  ])
})

void t.test('membership is what the snapshot says, not what the evidence says', async (t) => {
  const resource = 'X-Nsp-Resource-Id'
  const perimeter = 'X-Nsp-Perimeter-Id'
  const subscription = 'X-Nsp-Subscription-Id'
  check(t, [
    {
      note: 'a member has its perimeter without claiming it, in any case of its id',
      from: gateway,
      raw: [resource, orders.toUpperCase()],
      want: '10.0.1.1:4711 sub=1111 nsp=shop res=orders',
    },
    {
      note: 'a member of shop claims billing and stays in shop',
      from: gateway,
      raw: [resource, orders, perimeter, billingGuid],
      want: `10.0.1.1:4711 sub=1111 nsp=shop res=orders -${perimeter}`,
    },
    {
      note: 'a member of shop claims a perimeter that we do not know and stays in shop',
      from: gateway,
      raw: [resource, orders, perimeter, unknownGuid],
      want: `10.0.1.1:4711 sub=1111 nsp=shop res=orders -${perimeter}`,
    },
    {
      note: 'a member that claims its own perimeter',
      from: gateway,
      raw: [resource, orders, perimeter, shopGuid.toUpperCase()],
      want: '10.0.1.1:4711 sub=1111 nsp=shop res=orders',
    },
    {
      note: 'a resource that nobody associates claims a perimeter whose members we know',
      from: gateway,
      raw: [resource, loner, perimeter, shopGuid],
      want: `10.0.1.1:4711 sub=1111 res=loner -${perimeter}`,
    },
    {
      note: 'a resource that we do not know claims it',
      from: gateway,
      raw: [resource, stranger, perimeter, shopGuid],
      want: `10.0.1.1:4711 sub=2222 res=stranger -${perimeter}`,
    },
    {
      note: 'a caller without a resource id claims it',
      from: gateway,
      raw: [perimeter, shopGuid],
      want: `10.0.1.1:4711 -${perimeter}`,
    },
    {
      note: 'a perimeter whose members are elsewhere is for the believed peer to vouch for',
      from: gateway,
      raw: [resource, stranger, perimeter, unknownGuid],
      want: '10.0.1.1:4711 sub=2222 nsp=unknown res=stranger',
    },
    {
      note: 'likewise without a resource id',
      from: gateway,
      raw: [perimeter, unknownGuid],
      want: '10.0.1.1:4711 nsp=unknown',
    },
    {
      note: 'the subscription is that of the resource id, whatever the header says',
      from: gateway,
      raw: [resource, stranger, subscription, testSubscription],
      want: '10.0.1.1:4711 sub=2222 res=stranger',
    },
  ])
})

void t.test(
  'the source address is read from the right, as far as trusted proxies go',
  async (t) => {
    const xff = 'X-Forwarded-For'
    check(t, [
      {
        note: 'a client forwards itself an address that a rule allows',
        from: client,
        raw: [xff, '192.0.2.1'],
        want: `203.0.113.9:4711 -${xff}`,
      },
      {
        note: 'the gateway is believed about identity, not about addresses',
        from: gateway,
        raw: [xff, '192.0.2.1'],
        want: `10.0.1.1:4711 -${xff}`,
      },
      {
        note: 'a trusted proxy',
        from: proxy,
        raw: [xff, '192.0.2.1'],
        want: '192.0.2.1:',
      },
      {
        note: 'with a port',
        from: proxy,
        raw: [xff, '192.0.2.1:99'],
        want: '192.0.2.1:99',
      },
      {
        note: 'what the client wrote stands left of what the proxy saw (oauth2-proxy#3506)',
        from: proxy,
        raw: [xff, '192.0.2.1, 203.0.113.9'],
        want: '203.0.113.9:',
      },
      {
        note: 'several proxies, several lines: one list',
        from: proxy,
        raw: [xff, '192.0.2.1, 203.0.113.9', 'x-forwarded-for', '2001:db8:2::7, 10.0.2.9'],
        want: '203.0.113.9:',
      },
      {
        note: 'all are trusted: the leftmost',
        from: proxy,
        raw: [xff, '10.0.2.7, 10.0.2.8'],
        want: '10.0.2.7:',
      },
      {
        note: 'nothing forwarded: the proxy itself',
        from: proxy,
        want: '10.0.2.2:4711',
      },
      ...[[], [xff, '10.0.2.7, 10.0.2.8']].map((raw) => ({
        note: `nobody but proxies, where fields may be lost: ${raw.join(' ')}`,
        from: proxy,
        raw,
        mayLackFields: true,
        want: '400 no client in the forwarded header',
      })),
      {
        note: 'a client, where fields may be lost',
        from: proxy,
        raw: [xff, '192.0.2.1'],
        mayLackFields: true,
        want: '192.0.2.1:',
      },
      {
        note: 'where fields may be lost, of whoever is no proxy nothing is missing',
        from: client,
        mayLackFields: true,
        want: '203.0.113.9:4711',
      },
      {
        note: 'a mapped hop is the IPv4',
        from: proxy,
        raw: [xff, '192.0.2.1, ::ffff:10.0.2.9'],
        want: '192.0.2.1:',
      },
      ...['', 'unknown', '_hidden', '10.0.2.9,', 'orders.example', '010.0.2.9', '10.0.2.9:0'].map(
        (hop) => ({
          note: `hop ${hop} before the first that is not trusted`,
          from: proxy,
          raw: [xff, `192.0.2.1, ${hop}`],
          want: '400 forwarded header that cannot be parsed',
        }),
      ),
      {
        note: 'beyond the first that is not trusted, nobody vouches and nobody looks',
        from: proxy,
        raw: [xff, 'unknown, \u0000, 203.0.113.9, 10.0.2.9'],
        want: '203.0.113.9:',
      },
      {
        note: 'X_Forwarded_For is not what the proxy wrote',
        from: proxy,
        raw: [xff, '203.0.113.9', 'X_Forwarded_For', '192.0.2.1'],
        want: '203.0.113.9:',
      },
      {
        note: 'the header that is not configured is not read',
        from: proxy,
        raw: ['Forwarded', 'for=192.0.2.1'],
        want: '10.0.2.2:4711',
      },
      {
        note: 'Forwarded, where it is configured',
        from: proxy,
        raw: ['Forwarded', 'for=192.0.2.9, for="[2001:db8::1]:4711"', xff, '192.0.2.1'],
        forwardedHeader: 'forwarded',
        want: '2001:db8::1:4711',
      },
      {
        note: 'an open quote from a client does not swallow what the proxy wrote',
        from: proxy,
        raw: ['Forwarded', 'for=192.0.2.1;by=", for=203.0.113.9;by="_x"'],
        forwardedHeader: 'forwarded',
        want: '400 forwarded header that cannot be parsed',
      },
      {
        note: '64 KB are refused, not read (CVE-2023-50269)',
        from: proxy,
        raw: [xff, '10.0.2.9,'.repeat(7000)],
        want: '400 forwarded header is too long',
      },
      {
        note: 'both lists, one peer',
        from: both,
        raw: [xff, '192.0.2.1', 'X-Nsp-Resource-Id', orders],
        want: '192.0.2.1: sub=1111 nsp=shop res=orders',
      },
    ])
  },
)

void t.test('a delivery is the member that the outbound listener speaks for', async (t) => {
  const delivery: Delivery = {
    source: resourceId('orders'),
    name: hostname('invoices.example'),
    port: 80,
    correlationId: 'c',
    peer: address('127.0.0.1'),
    peerPort: 5,
  }
  check(t, [
    {
      note: 'resource, subscription and perimeter are the snapshot’s; the address is the client’s',
      from: undefined,
      delivery,
      want: '127.0.0.1:5 sub=1111 nsp=shop res=orders',
    },
    {
      note: 'the workload writes identity and addresses into its own stream',
      from: undefined,
      raw: ['X-Nsp-Perimeter-Id', billingGuid, 'X-Forwarded-For', '192.0.2.1'],
      delivery,
      want: '127.0.0.1:5 sub=1111 nsp=shop res=orders -X-Forwarded-For -X-Nsp-Perimeter-Id',
    },
    {
      note: 'a resource in no perimeter is a member of none',
      from: undefined,
      delivery: { ...delivery, source: resourceId('loner') },
      want: '127.0.0.1:5 sub=1111 res=loner',
    },
    {
      note: 'a resource that a reload removed is nobody',
      from: undefined,
      delivery: {
        ...delivery,
        source: resourceId('gone'),
        peer: undefined,
        peerPort: undefined,
      },
      want: 'nowhere:',
    },
  ])
})

void t.test(
  'a proof counts from anybody, in place of headers, under the rules for members',
  async (t) => {
    const member = { resource: resourceId('orders') }
    const stray = { resource: resourceId('stranger', otherSubscription) }
    check(t, [
      {
        note: 'a member has the perimeter that the snapshot gives it, whatever its proof says',
        from: client,
        certificate: {
          ...member,
          perimeters: [billingGuid, guid(unknownGuid)],
        },
        want: `203.0.113.9:4711 sub=1111 nsp=shop res=orders`,
      },
      {
        note: 'of the perimeters of a stranger those count whose members are not known here',
        from: client,
        token: { ...stray, perimeters: [shopGuid, guid(unknownGuid)] },
        want: '203.0.113.9:4711 sub=2222 nsp=unknown res=stranger',
      },
      {
        note: 'a perimeter whose members are known is nobody else`s, resource or not',
        from: client,
        token: { perimeters: [shopGuid] },
        want: '203.0.113.9:4711',
      },
      {
        note: 'a gateway that says otherwise is not heard, and that is noted',
        from: gateway,
        raw: ['x-nsp-resource-id', orders],
        token: stray,
        want: '10.0.1.1:4711 sub=2222 res=stranger -x-nsp-resource-id',
      },
      {
        note: 'a gateway that says two things is refused all the same',
        from: gateway,
        raw: ['x-nsp-resource-id', orders, 'x-nsp-resource-id', orders],
        token: stray,
        want: '400 several resource headers',
      },
      {
        note: 'a certificate and a token of two callers',
        from: client,
        certificate: member,
        token: stray,
        want: '400 two proofs that name different callers',
      },
      {
        note: 'a delivery says who it is, and no proof on it does',
        from: undefined,
        delivery: {
          source: resourceId('orders'),
          name: hostname('invoices.example'),
          port: 443,
          correlationId: 'one',
          peer: address('127.0.0.1'),
          peerPort: 7,
        },
        token: stray,
        want: '127.0.0.1:7 sub=1111 nsp=shop res=orders',
      },
    ])
  },
)

void t.test('a caller is who its proof says for as long as that lasts', async (t) => {
  const evidence = collectEvidence({
    rawHeaders: [],
    peer: parsePeer(client),
    peerPort: 1,
    listener: 'public',
    headers: rules.headers,
    forwardedHeader: rules.forwardedHeader,
    token: { kind: 'proof', proof: proof({ resource: resourceId('orders') }) },
  })
  t.match(identify(evidence, rules, { snapshot, audience: undefined, now: 0 }), {
    expiresAt: 1,
    note: undefined,
  })
  t.match(identify(evidence, rules, { snapshot, audience: undefined, now: 1 }), {
    caller: { resourceId: undefined, subscriptions: [], perimeters: [] },
    expiresAt: Number.POSITIVE_INFINITY,
    note: 'proof that has expired',
  })
})
