import t from 'tap'
import {
  decide,
  judgeAgain,
  speakerFor,
  routeKey,
  standingOf,
  type Asked,
} from '../../src/outbound/verdict.ts'
import { buildInForce } from '../support/in-force.ts'
import { address, authority, type InForceParts } from '../support/settings-parts.ts'

const parts: InForceParts = {
  resources: [
    { id: 'orders' },
    { id: 'vault', hosts: ['vault.example'], backend: 'http://127.0.0.1:1' },
    { id: 'search', hosts: ['search.example'], endpoint: 'search.svc:8443' },
    { id: 'named', hosts: ['named.example'] },
  ],
  outbound: [{ name: 'egress', resource: 'orders', clients: ['192.0.2.0/24', '2001:db8::/32'] }],
  perimeters: [
    {
      name: 'shop',
      profiles: [
        {
          name: 'web',
          accessRules: [{ name: 'api', fullyQualifiedDomainNames: ['*.api.example'] }],
        },
      ],
      associations: [
        { resource: 'orders', accessMode: 'Enforced' },
        { resource: 'vault', accessMode: 'Enforced' },
        { resource: 'search', accessMode: 'Enforced' },
        { resource: 'named', accessMode: 'Enforced' },
      ],
    },
  ],
}

function ask(destination: string, more: Partial<Asked> = {}): Asked {
  return {
    listener: 'egress',
    peer: address('192.0.2.7'),
    destination: authority(destination),
    ...more,
  }
}

void t.test('decide gives each destination its route and its reason', async (t) => {
  const inForce = buildInForce(parts)
  for (const [destination, reason, route] of [
    ['vault.example:80', 'same-perimeter', 'fronted'],
    ['vault.example:9', 'same-perimeter', 'fronted'],
    ['search.example:80', 'same-perimeter', 'peer'],
    ['named.example:80', 'same-perimeter', 'outside'],
    ['one.api.example:443', 'access-rule', 'outside'],
    ['one.api.example:8443', 'port-not-allowed', undefined],
    ['api.example:443', 'no-matching-rule', undefined],
    ['192.0.2.1:443', 'no-matching-rule', undefined],
  ] as const) {
    const verdict = decide(ask(destination), inForce)
    t.equal(verdict.decision.reason, reason, destination)
    t.equal(verdict.kind === 'admitted' ? verdict.route.kind : undefined, route, destination)
  }
})

void t.test('decide knows no caller outside clients, and decides nothing for it', async (t) => {
  const inForce = buildInForce(parts)
  for (const [note, asked] of [
    ['another address', ask('vault.example:80', { peer: address('192.0.3.1') })],
    ['no address', ask('vault.example:80', { peer: undefined })],
    ['another listener', ask('vault.example:80', { listener: 'other' })],
  ] as const) {
    const { kind, decision } = decide(asked, inForce)
    t.equal(kind, 'denied', note)
    t.match(decision, { reason: 'unknown-caller', effect: 'deny', resource: undefined })
  }
  t.equal(
    decide(ask('vault.example:80', { peer: address('2001:db8::1') }), inForce).kind,
    'admitted',
  )
  t.equal(
    decide(ask('vault.example:80', { peer: address('::ffff:192.0.2.7') }), inForce).kind,
    'admitted',
  )
})

void t.test('decide denies without anything in force', async (t) => {
  t.match(decide(ask('vault.example:80'), undefined), {
    kind: 'denied',
    decision: { effect: 'deny', reason: 'internal-error', policyVersion: '' },
  })
})

void t.test('speakerFor is the resource of the snapshot, with its policy', async (t) => {
  const inForce = buildInForce(parts)
  const resource = speakerFor(inForce, ask('vault.example:80'))
  t.equal(resource?.id.name, 'orders')
  t.equal(resource?.association?.accessMode, 'Enforced')
})

void t.test('judgeAgain judges all the original facts again', async (t) => {
  const before = buildInForce(parts)
  const publicAddress = address('9.9.9.9')
  const cases: readonly (readonly [
    note: string,
    destination: string,
    next: InForceParts | undefined,
    stands: boolean,
  ])[] = [
    ['nothing has changed', 'one.api.example:443', parts, true],
    ['nothing is in force', 'one.api.example:443', undefined, false],
    ['the rule is gone', 'one.api.example:443', { ...parts, perimeters: [] }, false],
    ['the port is gone', 'one.api.example:443', { ...parts, egress: { ports: [80] } }, false],
    ['the listener is gone', 'one.api.example:443', { ...parts, outbound: [] }, false],
    [
      'the client is no longer served',
      'one.api.example:443',
      { ...parts, outbound: [{ name: 'egress', resource: 'orders', clients: ['10.0.0.0/8'] }] },
      false,
    ],
    [
      'the listener speaks for another member, who may as well',
      'vault.example:80',
      { ...parts, outbound: [{ name: 'egress', resource: 'search' }] },
      false,
    ],
    [
      'a peer has moved',
      'search.example:80',
      {
        ...parts,
        resources: [
          { id: 'orders' },
          { id: 'search', hosts: ['search.example'], endpoint: 'search.svc:8444' },
        ],
      },
      false,
    ],
    ['a peer has not', 'search.example:80', parts, true],
    [
      'a name outside is fronted here now',
      'one.api.example:443',
      {
        ...parts,
        resources: [
          { id: 'orders' },
          { id: 'one', hosts: ['one.api.example'], backend: 'http://127.0.0.1:1' },
        ],
      },
      false,
    ],
    [
      'a member is fronted here no more',
      'vault.example:80',
      { ...parts, resources: [{ id: 'orders' }, { id: 'vault', hosts: ['vault.example'] }] },
      false,
    ],
  ]
  for (const [note, destination, next, stands] of cases) {
    const asked = ask(destination)
    const admitted = decide(asked, before)
    if (admitted.kind === 'denied') throw new Error(`${note}: denied at first`)
    const current = next === undefined ? undefined : buildInForce(next)
    const isOutside = admitted.route.kind === 'outside'
    const standing = standingOf(asked, { admitted, address: isOutside ? publicAddress : undefined })
    const decision = judgeAgain(standing, current)
    t.equal(decision !== undefined, stands, note)
    t.not(decision?.effect, 'deny')
  }
  const asked = ask('one.api.example:443')
  const admitted = decide(asked, before)
  if (admitted.kind === 'denied') throw new Error('denied at first')
  t.equal(
    judgeAgain(standingOf(asked, { admitted, address: address('10.0.0.1') }), before),
    undefined,
    'guard',
  )
  t.equal(judgeAgain(standingOf(asked, { admitted, address: undefined }), before), undefined)
})

void t.test('routeKey compares members by id and endpoints by name', async (t) => {
  const routeOf = (destination: string, one = parts): string => {
    const verdict = decide(ask(destination), buildInForce(one))
    if (verdict.kind === 'denied') throw new Error('denied')
    return routeKey(verdict.route)
  }
  t.equal(routeOf('vault.example:80'), routeOf('vault.example:81'))
  t.equal(routeOf('search.example:80'), routeOf('search.example:80'))
  t.equal(routeOf('a.api.example:80'), routeOf('b.api.example:80'))
  t.not(routeOf('vault.example:80'), routeOf('search.example:80'))
  t.not(routeOf('search.example:80'), routeOf('named.example:80'))
  t.not(routeOf('named.example:80'), routeOf('vault.example:80'))
})
