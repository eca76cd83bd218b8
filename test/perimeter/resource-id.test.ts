import t from 'tap'
import { parseGuid } from '../../src/perimeter/guid.ts'
import { makePerimeterId, parsePerimeterId } from '../../src/perimeter/perimeter-id.ts'
import { parseResourceId, type ResourceId } from '../../src/perimeter/resource-id.ts'
import { declaredResourceId, referencedResourceId } from '../../src/perimeter/resource-reference.ts'

const guid = '11111111-1111-1111-1111-11111111111a'
const scope = { subscriptionId: guid, resourceGroup: 'shop' }
const group = `/subscriptions/${guid}/resourceGroups/shop`

void t.test('parseResourceId reads its parts and compares without regard to case', (t) => {
  const text = `/Subscriptions/${guid.toUpperCase()}/RESOURCEGROUPS/Shop/Providers/Microsoft.Sql/servers/S/databases/D`
  t.same(parseResourceId(text), {
    text,
    key: text.toLowerCase(),
    subscriptionId: guid,
    resourceGroup: 'Shop',
    type: 'Microsoft.Sql/servers/databases',
    name: 'D',
  })
  t.end()
})

const noIds = [
  { note: 'nothing', text: '' },
  { note: 'no leading slash', text: `${group}/providers/A/b/c`.slice(1) },
  { note: 'a trailing slash', text: `${group}/providers/A/b/c/` },
  { note: 'a group', text: group },
  { note: 'no type', text: `${group}/providers/A` },
  { note: 'a type without a name', text: `${group}/providers/A/b` },
  { note: 'a nested type without a name', text: `${group}/providers/A/b/c/d` },
  {
    note: 'a subscription that is no GUID',
    text: '/subscriptions/x/resourceGroups/g/providers/A/b/c',
  },
  { note: 'another first word', text: `/subscription/${guid}/resourceGroups/g/providers/A/b/c` },
  { note: 'another second word', text: `/subscriptions/${guid}/groups/g/providers/A/b/c` },
  { note: 'another third word', text: `/subscriptions/${guid}/resourceGroups/g/provider/A/b/c` },
  { note: 'a space', text: `${group}/providers/A/b/c d` },
  { note: 'a percent sign', text: `${group}/providers/A/b/c%2fd` },
  { note: 'no subscription', text: '/subscriptions' },
]

for (const { note, text } of noIds) {
  void t.test(`parseResourceId refuses ${note}`, (t) => {
    t.equal(parseResourceId(text), undefined)
    t.end()
  })
}

void t.test('parseGuid takes the text form in any case, and nothing else', (t) => {
  t.equal(parseGuid(guid.toUpperCase()), guid)
  for (const text of ['', `{${guid}}`, guid.replaceAll('-', ''), `${guid}0`, ` ${guid}`]) {
    t.equal(parseGuid(text), undefined, text)
  }
  t.end()
})

void t.test('perimeter ids are ids of perimeters only', (t) => {
  t.equal(makePerimeterId({ ...scope, name: 'shop' })?.name, 'shop')
  t.equal(makePerimeterId({ ...scope, name: 'a/b' }), undefined)
  t.equal(makePerimeterId({ ...scope, resourceGroup: 'a/b', name: 'shop' }), undefined)
  const lower = `${group}/providers/microsoft.network/networksecurityperimeters/shop`
  t.equal(parsePerimeterId(lower)?.name, 'shop')
  t.equal(parsePerimeterId(`${lower}/profiles/web`), undefined)
  t.equal(parsePerimeterId('shop'), undefined)
  t.end()
})

void t.test('declaredResourceId puts a bare name into the scope', (t) => {
  t.match(declaredResourceId('orders', scope), {
    kind: 'valid',
    value: { text: `${group}/providers/Ringfence.Local/services/orders` },
  })
  t.match(declaredResourceId('orders', undefined), { kind: 'invalid', message: /needs `scope`/ })
  t.match(declaredResourceId(`${group}/providers/A/b/c`, undefined), { kind: 'valid' })
  t.match(declaredResourceId('a b', scope), { kind: 'invalid', message: /is not a resource id/ })
  t.end()
})

void t.test('referencedResourceId finds the one that a name means', (t) => {
  const known = ['A/b/orders', 'A/b/keys', 'A/c/keys', 'A/b/my-orders'].map((end) =>
    knownId(`${group}/providers/${end}`),
  )
  t.match(referencedResourceId('ORDERS', known), { kind: 'valid', value: { name: 'orders' } })
  t.match(referencedResourceId('c/keys', known), { kind: 'valid', value: { type: 'A/c' } })
  t.match(referencedResourceId('keys', known), { kind: 'invalid', message: /^2 resources/ })
  t.match(referencedResourceId('rders', known), { kind: 'invalid', message: /no resource/ })
  t.match(referencedResourceId('', known), { kind: 'invalid' })
  t.match(referencedResourceId(`${group}/providers/A/b/else`, known), { kind: 'valid' })
  t.match(referencedResourceId('/orders', known), { kind: 'invalid', message: /not a resource id/ })
  t.end()
})

function knownId(text: string): ResourceId {
  const id = parseResourceId(text)
  if (id === undefined) throw new Error(`not an id: ${text}`)
  return id
}
