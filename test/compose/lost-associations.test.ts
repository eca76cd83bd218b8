import t from 'tap'
import { describeLost, describeLostAssociations } from '../../src/compose/lost-associations.ts'
import type { PublicNetworkAccess } from '../../src/perimeter/resource.ts'
import { buildInForce } from '../support/in-force.ts'
import type { InForceParts } from '../support/settings-parts.ts'

const perimeters = [
  { name: 'shop', profiles: [{ name: 'web' }], associations: [{ resource: 'orders' }] },
]

function partsOf(publicNetworkAccess?: PublicNetworkAccess): InForceParts {
  const access = publicNetworkAccess === undefined ? {} : { publicNetworkAccess }
  return { resources: [{ id: 'orders', hosts: ['orders.test'], ...access }] }
}

const cases = [
  { access: undefined, says: /^`orders` is no longer in the perimeter `shop`: it is locked/ },
  { access: 'Enabled', says: /its own firewall alone decides/ },
  { access: 'Disabled', says: /nobody gets in, everything gets out/ },
] as const

for (const { access, says } of cases) {
  void t.test(`describeLostAssociations: publicNetworkAccess ${access}`, async (t) => {
    const parts = partsOf(access)
    const { snapshot: before } = buildInForce({ ...parts, perimeters })
    const { snapshot: after } = buildInForce(parts)
    const lines = describeLostAssociations(before, after)
    t.equal(lines.length, 1)
    t.match(lines[0], says)
    t.same(describeLostAssociations(before, before), [], 'nothing is lost')
    t.same(describeLostAssociations(after, before), [], 'what is new is not lost')
    t.same(describeLostAssociations(undefined, after), [], 'at the start')
  })
}

void t.test('describeLostAssociations: a resource that settings do not know either', async (t) => {
  const { snapshot: before } = buildInForce({ ...partsOf(), perimeters })
  const { snapshot: after } = buildInForce({})
  t.match(describeLostAssociations(before, after), [/nothing reaches it/])
})

void t.test('describeLost: a perimeter that no file declares any more comes first', async (t) => {
  const { snapshot: before } = buildInForce({ ...partsOf('Enabled'), perimeters })
  const { snapshot: after } = buildInForce(partsOf('Enabled'))
  const [first, second, ...more] = describeLost(before, after)
  t.match(first, /^the perimeter `shop` is declared no more/)
  t.match(second, /its own firewall alone decides/)
  t.same(more, [])
  t.same(describeLost(before, before), [])
  t.same(describeLost(undefined, after), [])
})
