import t from 'tap'
import { PerimeterError } from '../../src/errors.ts'
import { compilePolicy } from '../support/compile-policy.ts'
import {
  buildPolicyInput,
  type GivenPolicy,
  guid,
  hostname,
  serviceId,
} from '../support/policy-builder.ts'

const shop = {
  name: 'shop',
  profiles: [
    { name: 'Web', accessRules: [{ name: 'office', addressPrefixes: ['203.0.113.0/24'] }] },
  ],
  resourceAssociations: [{ resource: 'orders', profile: 'Web' }],
} as const
const given: GivenPolicy = {
  resources: [{ id: 'orders', hosts: ['orders.example'] }],
  perimeters: [shop],
}

void t.test('compilePolicy: equal input has an equal version, whatever else is rebuilt', (t) => {
  const version = compilePolicy(buildPolicyInput(given)).version
  t.match(version, /^[0-9a-f]{64}$/)
  t.equal(compilePolicy(buildPolicyInput(structuredClone(given))).version, version)
  t.end()
})

const changes: readonly { note: string; given: GivenPolicy; deciding?: unknown }[] = [
  {
    note: 'a rule',
    given: { ...given, perimeters: [{ ...shop, profiles: [{ name: 'Web', accessRules: [] }] }] },
  },
  {
    note: 'an access mode',
    given: {
      ...given,
      perimeters: [
        {
          ...shop,
          resourceAssociations: [{ resource: 'orders', profile: 'Web', accessMode: 'Enforced' }],
        },
      ],
    },
  },
  { note: 'a port', given: { ...given, egressPorts: [443] } },
  { note: 'an auto-approved perimeter', given: { ...given, autoApprove: ['shop'] } },
  {
    note: 'publicNetworkAccess',
    given: {
      ...given,
      resources: [{ id: 'orders', hosts: ['orders.example'], publicNetworkAccess: 'Disabled' }],
    },
  },
  { note: 'other data that decides', given, deciding: { trustedProxies: ['10.0.0.5/32'] } },
]
for (const { note, given: changed, deciding } of changes) {
  void t.test(`compilePolicy: whatever decides changes the version: ${note}`, (t) => {
    const before = compilePolicy(buildPolicyInput(given)).version
    t.not(compilePolicy({ ...buildPolicyInput(changed), deciding }).version, before)
    t.end()
  })
}

void t.test('compilePolicy: the rules version of a profile changes with its rules alone', (t) => {
  const rulesVersion = (policy: GivenPolicy) =>
    compilePolicy(buildPolicyInput(policy)).resources.get(serviceId('orders').key)?.association
      ?.profile.accessRulesVersion
  t.match(rulesVersion(given), /^[0-9a-f]{16}$/)
  t.equal(rulesVersion({ ...given, egressPorts: [1] }), rulesVersion(given))
  t.not(
    rulesVersion({
      ...given,
      perimeters: [{ ...shop, profiles: [{ name: 'Web', accessRules: [] }] }],
    }),
    rulesVersion(given),
  )
  t.end()
})

void t.test(
  'compilePolicy: resources are found by id and host, associated ones without settings by id alone',
  (t) => {
    const snapshot = compilePolicy(
      buildPolicyInput({
        ...given,
        perimeters: [
          {
            ...shop,
            resourceAssociations: [
              ...shop.resourceAssociations,
              { resource: 'Stranger', profile: 'web' },
            ],
          },
        ],
      }),
    )
    const orders = snapshot.resources.get(serviceId('ORDERS').key)
    t.equal(orders?.id.name, 'orders')
    t.equal(snapshot.resourcesByHost.get(hostname('orders.example')), orders)
    const stranger = snapshot.resources.get(serviceId('stranger').key)
    t.equal(stranger?.resource, undefined)
    t.equal(stranger?.publicNetworkAccess, 'Enabled')
    t.equal(stranger?.association?.profile.name, 'Web', 'profiles compare without regard to case')
    t.equal(snapshot.resourcesByHost.size, 1)
    t.end()
  },
)

void t.test(
  'compilePolicy: a resource that lost its association is locked, unless it says otherwise',
  (t) => {
    const access = (policy: GivenPolicy) =>
      compilePolicy(buildPolicyInput(policy)).resources.get(serviceId('orders').key)
        ?.publicNetworkAccess
    t.equal(access(given), 'Enabled')
    t.equal(access({ resources: [{ id: 'orders' }] }), 'SecuredByPerimeter')
    t.equal(access({ resources: [{ id: 'orders', publicNetworkAccess: 'Disabled' }] }), 'Disabled')
    t.end()
  },
)

void t.test('compilePolicy: enabled log categories are a set, and all where none is named', (t) => {
  const input = buildPolicyInput(given)
  const enabled = (names: readonly 'NspOutboundAttempt'[]) =>
    [
      ...compilePolicy({
        ...input,
        perimeters: input.perimeters.map((one) => ({ ...one, enabledLogCategories: names })),
      }).perimetersByGuid.values(),
    ][0]?.enabledLogCategories
  t.equal(enabled([]), undefined)
  t.strictSame(enabled(['NspOutboundAttempt']), new Set(['NspOutboundAttempt']))
  t.end()
})

void t.test('compilePolicy: the snapshot and what it holds cannot be changed', (t) => {
  const snapshot = compilePolicy(buildPolicyInput(given))
  const orders = snapshot.resources.get(serviceId('orders').key)
  for (const part of [
    snapshot,
    orders,
    orders?.association,
    orders?.association?.profile,
    orders?.association?.perimeter,
    orders?.firewall,
  ]) {
    t.ok(part !== undefined && Object.isFrozen(part))
  }
  t.end()
})

const billing = { name: 'billing', profiles: [{ name: 'web' }] }
const sharedGuid = guid('7d0c2c1e-5a0f-4e0f-9a43-0d3a5a3f7b11')
const contradictions: readonly { note: string; given: GivenPolicy; message: RegExp }[] = [
  {
    note: 'a resource in two perimeters',
    given: {
      perimeters: [
        shop,
        { ...billing, resourceAssociations: [{ resource: 'orders', profile: 'web' }] },
      ],
    },
    message: /associated resource .*orders` is given twice/,
  },
  {
    note: 'a profile that does not exist',
    given: { perimeters: [{ ...shop, profiles: [] }] },
    message: /names the profile `Web`, which does not exist/,
  },
  {
    note: 'two profiles of one name',
    given: { perimeters: [{ ...shop, profiles: [{ name: 'Web' }, { name: 'web' }] }] },
    message: /profile `web` is given twice/,
  },
  {
    note: 'one GUID for two perimeters',
    given: {
      perimeters: [
        { ...shop, perimeterGuid: sharedGuid },
        { ...billing, perimeterGuid: sharedGuid },
      ],
    },
    message: /perimeter GUID .* is given twice/,
  },
  {
    note: 'one host for two resources',
    given: {
      resources: [
        { id: 'a', hosts: ['x.example'] },
        { id: 'b', hosts: ['x.example'] },
      ],
    },
    message: /host `x.example` is given twice/,
  },
  {
    note: 'a resource twice',
    given: { resources: [{ id: 'a' }, { id: 'A' }] },
    message: /resource .* is given twice/,
  },
]
for (const { note, given: contradictory, message } of contradictions) {
  void t.test(`compilePolicy makes no guess: ${note}`, (t) => {
    try {
      compilePolicy(buildPolicyInput(contradictory))
      t.fail('compiles')
    } catch (error) {
      t.ok(error instanceof PerimeterError)
      t.match(error, { code: 'RF_POLICY', message })
    }
    t.end()
  })
}
