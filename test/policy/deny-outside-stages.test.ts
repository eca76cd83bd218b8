import t from 'tap'
import { compilePolicy } from '../support/compile-policy.ts'
import { denyOutsideStages, type OutsideReason } from '../../src/policy/deny-outside-stages.ts'
import type { AccessMode } from '../../src/perimeter/perimeter.ts'
import type { PublicNetworkAccess } from '../../src/perimeter/resource.ts'
import { buildPolicyInput, serviceId } from '../support/policy-builder.ts'

function resourceOf(mode: AccessMode | undefined, access?: PublicNetworkAccess) {
  const snapshot = compilePolicy(
    buildPolicyInput({
      resources: [
        { id: 'orders', ...(access === undefined ? {} : { publicNetworkAccess: access }) },
      ],
      perimeters:
        mode === undefined
          ? []
          : [
              {
                name: 'shop',
                profiles: [{ name: 'web' }],
                resourceAssociations: [{ resource: 'orders', profile: 'web', accessMode: mode }],
              },
            ],
    }),
  )
  return snapshot.resources.get(serviceId('orders').key)
}

const cases = [
  { note: 'Enforced', resource: resourceOf('Enforced'), by: 'Perimeter' },
  { note: 'Learning', resource: resourceOf('Learning'), by: 'Resource' },
  {
    note: 'Learning, secured by its perimeter',
    resource: resourceOf('Learning', 'SecuredByPerimeter'),
    by: 'Resource',
  },
  { note: 'Audit', resource: resourceOf('Audit'), by: 'Resource' },
  { note: 'locked down', resource: resourceOf(undefined), by: 'Perimeter' },
  { note: 'not associated, Enabled', resource: resourceOf(undefined, 'Enabled'), by: 'Resource' },
  { note: 'not associated, Disabled', resource: resourceOf(undefined, 'Disabled'), by: 'Resource' },
] as const

for (const { note, resource, by } of cases) {
  for (const direction of ['Inbound', 'Outbound'] as const) {
    void t.test(
      `denyOutsideStages: the category tells whose denial it is: ${note}, ${direction}`,
      (t) => {
        const decision = denyOutsideStages({
          direction,
          reason: 'limit',
          resource,
          policyVersion: 'v',
        })
        t.strictSame(decision, {
          effect: 'deny',
          reason: 'limit',
          direction,
          category: `NspPublic${direction}${by}RulesDenied`,
          trafficType: 'Public',
          resource,
          rule: undefined,
          accessMode: resource?.association?.accessMode,
          enforcedEffect: 'deny',
          policyVersion: 'v',
        })
        t.end()
      },
    )
  }
}

const reasons: readonly OutsideReason[] = [
  'bad-request',
  'unknown-resource',
  'unknown-caller',
  'limit',
  'address-not-public',
  'name-mismatch',
  'policy-revoked',
  'internal-error',
]
for (const reason of reasons) {
  void t.test(`denyOutsideStages: without a resource there is no category: ${reason}`, (t) => {
    const facts = { direction: 'Inbound', reason, resource: undefined, policyVersion: '' } as const
    t.match(denyOutsideStages(facts), {
      effect: 'deny',
      enforcedEffect: 'deny',
      reason,
      category: undefined,
      trafficType: undefined,
      accessMode: undefined,
    })
    t.end()
  })
}
