import t from 'tap'
import { parsePeer } from '../../src/identity/evidence.ts'
import { judgeRequest, type RequestFacts } from '../../src/inbound/judge-request.ts'
import { ownViaOf } from '../../src/wire/via.ts'
import { buildInForce } from '../support/in-force.ts'
import { openShop } from '../support/inbound-world.ts'
import { hostname, resourceId } from '../support/settings-parts.ts'

const shop = openShop('http://127.0.0.1:1')
const inForce = buildInForce({
  ...shop,
  resources: [
    ...(shop.resources ?? []),
    { id: 'peer', hosts: ['peer.test'], endpoint: 'peer.example:443' },
  ],
  inbound: [
    { name: 'public', trustedProxies: ['10.0.0.0/8'] },
    { name: 'private', network: 'private', clients: ['10.0.0.0/8'] },
    { name: 'fixed', resource: 'orders' },
    { name: 'fixed-peer', resource: 'peer' },
    { name: 'fixed-nothing', resource: 'not-in-settings' },
  ],
  limits: { headerCount: 3 },
})

const via = ownViaOf('0123456789abcdef')

const plain: RequestFacts = {
  listener: 'public',
  method: 'GET',
  target: '/',
  httpVersion: '1.1',
  rawHeaders: ['Host', 'orders.test'],
  isSecure: false,
  peer: parsePeer('127.0.0.1'),
  peerPort: 1,
  delivery: undefined,
}

const delivery = {
  source: resourceId('orders'),
  name: hostname('orders.test'),
  port: 80,
  correlationId: 'id',
  peer: undefined,
  peerPort: undefined,
}

const cases: readonly {
  readonly note: string
  readonly facts: Partial<RequestFacts>
  readonly reason: string
  readonly status?: number
}[] = [
  { note: 'a rule names the address', facts: {}, reason: 'access-rule' },
  {
    note: 'a mapped address is the IPv4',
    facts: { peer: parsePeer('::ffff:127.0.0.1') },
    reason: 'access-rule',
  },
  { note: 'another address', facts: { peer: parsePeer('192.0.2.1') }, reason: 'no-matching-rule' },
  { note: 'no address at all', facts: { peer: undefined }, reason: 'no-matching-rule' },
  { note: 'no listener of that name', facts: { listener: 'gone' }, reason: 'unknown-resource' },
  { note: 'no such host', facts: { rawHeaders: ['Host', 'x.test'] }, reason: 'unknown-resource' },
  {
    note: 'an address as host',
    facts: { rawHeaders: ['Host', '127.0.0.1'] },
    reason: 'unknown-resource',
  },
  {
    note: 'a peer is not fronted here',
    facts: { rawHeaders: ['Host', 'peer.test'] },
    reason: 'unknown-resource',
  },
  {
    note: 'nor by its own listener',
    facts: { listener: 'fixed-peer' },
    reason: 'unknown-resource',
  },
  {
    note: 'a resource of no settings',
    facts: { listener: 'fixed-nothing' },
    reason: 'unknown-resource',
  },
  {
    note: 'the one resource under any host',
    facts: { listener: 'fixed', rawHeaders: ['Host', 'x.test'] },
    reason: 'access-rule',
  },
  {
    note: 'a private endpoint',
    facts: { listener: 'private', peer: parsePeer('10.1.1.1') },
    reason: 'private-endpoint',
  },
  {
    note: 'not everybody on its listener',
    facts: { listener: 'private', peer: parsePeer('192.0.2.1') },
    reason: 'no-matching-rule',
  },
  { note: 'an unreadable head', facts: { rawHeaders: [] }, reason: 'bad-request' },
  {
    note: 'too many lines',
    facts: { rawHeaders: ['Host', 'orders.test', 'a', '1', 'b', '1', 'c', '1'] },
    reason: 'bad-request',
    status: 431,
  },
  {
    note: 'one that passed this listener before',
    facts: { rawHeaders: ['Host', 'orders.test', 'Via', `1.1 a, ${via.value}`] },
    reason: 'loop',
  },
  {
    note: 'one that passed another',
    facts: { rawHeaders: ['Host', 'orders.test', 'Via', '1.1 ringfence-fedcba9876543210'] },
    reason: 'access-rule',
  },
  {
    note: 'a forwarded address that cannot be read',
    facts: {
      peer: parsePeer('10.0.0.1'),
      rawHeaders: ['Host', 'orders.test', 'X-Forwarded-For', '?'],
    },
    reason: 'bad-request',
  },
  { note: 'a delivery to its name', facts: { delivery }, reason: 'same-perimeter' },
  {
    note: 'a delivery to another name',
    facts: { delivery: { ...delivery, name: hostname('other.test') } },
    reason: 'name-mismatch',
  },
]

void t.test('judgeRequest puts the facts together and lets the policy decide', async (t) => {
  for (const { note, facts, reason, status } of cases) {
    const judgement = judgeRequest({ ...plain, ...facts }, inForce, { now: 0, via })
    t.equal(judgement.decision.reason, reason, note)
    t.equal(judgement.status, status, note)
    t.equal(judgement.decision.policyVersion, inForce.version, note)
  }
})

void t.test('without anything in force everything is denied', async (t) => {
  t.match(judgeRequest(plain, undefined, { now: 0, via }), {
    decision: { effect: 'deny', reason: 'internal-error', category: undefined, policyVersion: '' },
    detail: 'no policy is in force',
  })
})
