import fc from 'fast-check'
import t from 'tap'
import { compilePolicy } from '../support/compile-policy.ts'
import { evaluateInbound } from '../../src/policy/evaluate-inbound.ts'
import { evaluateOutbound } from '../../src/policy/evaluate-outbound.ts'
import { explainStages } from '../../src/policy/explain.ts'
import type { InboundRequest, OutboundRequest } from '../../src/policy/request.ts'
import type { PolicySnapshot, ResourcePolicy } from '../../src/policy/snapshot.ts'
import { decideByStages, type Stage } from '../../src/policy/stage.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { buildPolicyInput, hostname, serviceId } from '../support/policy-builder.ts'

const snapshot = compilePolicy(
  buildPolicyInput({
    resources: [{ id: 'orders' }],
    perimeters: [
      {
        name: 'shop',
        profiles: [{ name: 'web', accessRules: [{ name: 'all', addressPrefixes: ['0.0.0.0/0'] }] }],
        resourceAssociations: [{ resource: 'orders', profile: 'web', accessMode: 'Enforced' }],
      },
    ],
  }),
)
const resource = orders(snapshot)

function orders({ resources }: PolicySnapshot): ResourcePolicy {
  const found = resources.get(serviceId('orders').key)
  if (found === undefined) throw new Error('the policy has the resource')
  return found
}

/** A resource whose rules fail when they are asked. */
function broken(): ResourcePolicy {
  const { association } = resource
  if (association === undefined) throw new Error('the resource is associated')
  const fail = (): never => {
    throw new Error('a fault in a set')
  }
  const profile = { ...association.profile, addresses: { match: fail }, names: { match: fail } }
  return { ...resource, association: { ...association, profile } }
}

const source = { address: parseAddress('203.0.113.9'), subscriptions: [], perimeters: [] }

void t.test('evaluateInbound: a fault in the rules denies, with all that is known', (t) => {
  const decision = evaluateInbound(snapshot, { resource: broken(), network: 'public', source })
  t.match(decision, {
    effect: 'deny',
    reason: 'internal-error',
    category: 'NspPublicInboundPerimeterRulesDenied',
    enforcedEffect: 'deny',
    accessMode: 'Enforced',
    policyVersion: snapshot.version,
  })
  t.end()
})

void t.test('evaluateOutbound: a fault in the rules denies, with all that is known', (t) => {
  const host = { kind: 'name', name: hostname('api.example.com') } as const
  const decision = evaluateOutbound(snapshot, {
    resource: broken(),
    destination: { host, port: 443 },
  })
  t.match(decision, {
    effect: 'deny',
    reason: 'internal-error',
    category: 'NspPublicOutboundPerimeterRulesDenied',
    enforcedEffect: 'deny',
  })
  t.end()
})

void t.test('evaluateInbound: an access mode that nobody knows denies', (t) => {
  const { association } = resource
  if (association === undefined) throw new Error('the resource is associated')
  // No type can hold it: it stands for a fault that got past every check.
  const accessMode = 'Transition' as 'Learning'
  const odd = { ...resource, association: { ...association, accessMode } }
  const stranger = { ...source, address: undefined }
  const inbound = evaluateInbound(snapshot, { resource: odd, network: 'public', source: stranger })
  t.match(inbound, { effect: 'deny', reason: 'internal-error' })
  const host = { kind: 'name', name: hostname('api.example.com') } as const
  const outbound = evaluateOutbound(snapshot, { resource: odd, destination: { host, port: 443 } })
  t.match(outbound, { effect: 'deny', reason: 'internal-error' })
  t.end()
})

void t.test('no input throws, and none that is no request is allowed', (t) => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const junk = fc.oneof(
    fc.anything(),
    fc.record({
      resource: fc.anything(),
      network: fc.constant('public'),
      source: fc.anything(),
      destination: fc.anything(),
    }),
    fc.record({
      resource: fc.constant(resource),
      network: fc.constant('public'),
      source: fc.anything(),
      destination: fc.anything(),
    }),
  )
  fc.assert(
    fc.property(junk, fc.oneof(fc.anything(), fc.constant(snapshot)), (request, held) => {
      // What has no type stands for a fault in the code around: it must end in a decision too.
      const decisions = [
        evaluateInbound(held as PolicySnapshot, request as InboundRequest),
        evaluateOutbound(held as PolicySnapshot, request as OutboundRequest),
      ]
      return decisions.every(({ effect }) => effect === 'deny')
    }),
    { seed, numRuns: 3000 },
  )
  t.pass('holds')
  t.end()
})

const never: Stage<'1', InboundRequest> = {
  row: '1',
  reason: 'access-rule',
  when: 'never',
  match: () => false,
  effect: 'allow',
  enforcedEffect: 'allow',
  category: 'NspPublicInboundPerimeterRulesAllowed',
  trafficType: 'Public',
}

void t.test('decideByStages: a table in which nobody answers denies', (t) => {
  const table = { direction: 'Inbound', stages: [never] } as const
  const decision = decideByStages(table, snapshot, { resource, network: 'public', source })
  t.match(decision, { effect: 'deny', reason: 'internal-error' })
  t.end()
})

void t.test('decideByStages: the first stage that matches decides, and names its rule', (t) => {
  const stages = [never, { ...never, match: () => 'by name' }, { ...never, match: () => true }]
  const table = { direction: 'Inbound', stages } as const
  const decision = decideByStages(table, snapshot, { resource, network: 'public', source })
  t.match(decision, { effect: 'allow', rule: 'by name' })
  t.end()
})

void t.test('explainStages: a stage that fails is told, and none after it is asked', (t) => {
  const fail = (): never => {
    throw new Error('a fault in a stage')
  }
  const table = {
    direction: 'Inbound',
    stages: [never, { ...never, match: fail }, { ...never, match: () => true }],
    facts: { 1: () => 'facts' },
  } as const
  const stages = explainStages(table, snapshot, { resource, network: 'public', source })
  t.strictSame(
    stages.map(({ outcome, because }) => ({ outcome, because })),
    [
      { outcome: 'passed', because: 'facts' },
      { outcome: 'failed', because: 'the stage cannot be evaluated' },
      { outcome: 'not-asked', because: undefined },
    ],
  )
  t.end()
})
