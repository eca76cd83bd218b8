import t from 'tap'
import { parsePeer } from '../../src/identity/evidence.ts'
import type { ConnectionFacts } from '../../src/inbound/connection-facts.ts'
import { judgeTcp } from '../../src/inbound/tcp-judgement.ts'
import { buildInForce } from '../support/in-force.ts'
import { hostname, type InForceParts, resourceId } from '../support/settings-parts.ts'

const parts: InForceParts = {
  resources: [
    { id: 'ledger', hosts: ['ledger.test'], backend: 'tcp://127.0.0.1:5432' },
    { id: 'other', hosts: ['other.test'], backend: 'tcp://127.0.0.1:5433' },
    { id: 'orders', hosts: ['orders.test'], backend: 'http://127.0.0.1:1' },
    { id: 'stranger', hosts: ['stranger.test'] },
  ],
  perimeters: [
    {
      name: 'bank',
      profiles: [
        {
          name: 'books',
          accessRules: [{ name: 'office', addressPrefixes: ['192.0.2.0/24', '2001:db8::/32'] }],
        },
      ],
      associations: [{ resource: 'ledger' }, { resource: 'orders' }],
    },
  ],
  inbound: [
    {
      name: 'database',
      resource: 'ledger',
      // Settings refuse that; were it there, nobody would be believed all the same.
      trustedProxies: ['198.51.100.0/24'],
    },
    { name: 'inside', resource: 'ledger', network: 'private', clients: ['10.0.0.0/8'] },
    { name: 'web', resource: 'orders' },
    { name: 'any' },
    // As after a reload that made HTTP of the back end behind a listener of bytes, and the reverse.
    { name: 'was-tcp', resource: 'orders', protocol: 'tcp' },
    { name: 'was-http', resource: 'ledger', protocol: 'http' },
    { name: 'nothing', resource: 'not-in-settings', protocol: 'tcp' },
  ],
  headersTrustedFrom: ['0.0.0.0/0'],
}
const inForce = buildInForce(parts)

const plain: ConnectionFacts = {
  listener: 'database',
  peer: parsePeer('192.0.2.7'),
  peerPort: 40_000,
  delivery: undefined,
}

function from(source: string, name = 'ledger.test'): ConnectionFacts {
  return {
    ...plain,
    peer: undefined,
    delivery: {
      source: resourceId(source),
      name: hostname(name),
      port: 5432,
      correlationId: 'id',
      peer: parsePeer('10.0.0.1'),
      peerPort: 50_000,
    },
  }
}

const cases: readonly {
  readonly note: string
  readonly facts: ConnectionFacts
  readonly reason: string
}[] = [
  { note: 'a rule names the address', facts: plain, reason: 'access-rule' },
  {
    note: 'a mapped address is the IPv4',
    facts: { ...plain, peer: parsePeer('::ffff:192.0.2.7') },
    reason: 'access-rule',
  },
  {
    note: 'an IPv6 address',
    facts: { ...plain, peer: parsePeer('2001:db8::1') },
    reason: 'access-rule',
  },
  {
    note: 'another address',
    facts: { ...plain, peer: parsePeer('192.0.3.1') },
    reason: 'no-matching-rule',
  },
  {
    note: 'a peer that would be a trusted proxy is the caller itself',
    facts: { ...plain, peer: parsePeer('198.51.100.1') },
    reason: 'no-matching-rule',
  },
  { note: 'no address at all', facts: { ...plain, peer: undefined }, reason: 'no-matching-rule' },
  {
    note: 'a client of a private endpoint',
    facts: { ...plain, listener: 'inside', peer: parsePeer('10.1.1.1') },
    reason: 'private-endpoint',
  },
  {
    note: 'somebody else on the same listener',
    facts: { ...plain, listener: 'inside', peer: parsePeer('11.0.0.1') },
    reason: 'no-matching-rule',
  },
  { note: 'a member, by its egress', facts: from('orders'), reason: 'same-perimeter' },
  {
    note: 'who is no member, by its egress',
    facts: from('stranger'),
    reason: 'no-matching-rule',
  },
  {
    note: 'egress is never private, whatever its client is',
    facts: { ...from('stranger'), listener: 'inside', peer: parsePeer('10.1.1.1') },
    reason: 'no-matching-rule',
  },
  {
    note: 'a delivery that was decided for another resource',
    facts: from('orders', 'other.test'),
    reason: 'unknown-resource',
  },
  {
    note: 'a delivery that was decided for a name of nobody',
    facts: from('orders', 'nobody.test'),
    reason: 'unknown-resource',
  },
  {
    note: 'no listener of that name',
    facts: { ...plain, listener: 'gone' },
    reason: 'unknown-resource',
  },
  {
    note: 'a listener of HTTP',
    facts: { ...plain, listener: 'web' },
    reason: 'unknown-resource',
  },
  {
    note: 'a listener for any resource',
    facts: { ...plain, listener: 'any' },
    reason: 'unknown-resource',
  },
  {
    note: 'a back end that has become HTTP is not sent raw bytes',
    facts: { ...plain, listener: 'was-tcp' },
    reason: 'unknown-resource',
  },
  {
    note: 'a listener that was bound for HTTP',
    facts: { ...plain, listener: 'was-http' },
    reason: 'unknown-resource',
  },
  {
    note: 'a resource of no settings',
    facts: { ...plain, listener: 'nothing' },
    reason: 'unknown-resource',
  },
]

for (const { note, facts, reason } of cases) {
  void t.test(`judgeTcp: ${note}`, (t) => {
    const { decision } = judgeTcp(facts, inForce, { now: 0 })
    t.equal(decision.reason, reason)
    const allows = ['access-rule', 'private-endpoint', 'same-perimeter'].includes(reason)
    t.equal(decision.effect, allows ? 'allow' : 'deny')
    t.equal(decision.policyVersion, inForce.version)
    t.end()
  })
}

void t.test('judgeTcp: nothing in force denies', (t) => {
  t.match(judgeTcp(plain, undefined, { now: 0 }), {
    decision: { effect: 'deny', reason: 'internal-error', category: undefined },
    detail: 'no policy is in force',
  })
  t.end()
})

void t.test('judgeTcp: says who called, and under which name', (t) => {
  t.match(judgeTcp(plain, inForce, { now: 0 }), {
    caller: { address: { text: '192.0.2.7' }, subscriptions: [], perimeters: [] },
    callerPort: 40_000,
    authority: undefined,
  })
  t.match(judgeTcp(from('orders'), inForce, { now: 0 }), {
    caller: { address: { text: '10.0.0.1' }, resourceId: { name: 'orders' } },
    callerPort: 50_000,
    authority: { host: { kind: 'name', name: 'ledger.test' }, port: 5432 },
  })
  t.end()
})
