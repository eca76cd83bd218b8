import { join } from 'node:path'
import t from 'tap'
import { loadConfiguration } from '../src/load-configuration.ts'

const settings = `
scope: { subscriptionId: 11111111-1111-1111-1111-111111111111, resourceGroup: shop }
policy: { files: ["perimeters/*.yaml"] }
resources:
  - { id: orders, hosts: [orders.localhost], backend: "http://127.0.0.1:10000" }
inbound:
  - { name: public, listen: { host: 127.0.0.1, port: 0 } }
`

const perimeter = `
name: shop
profiles:
  - name: web
    accessRules:
      - { name: office, addressPrefixes: [203.0.113.0/24] }
      - { name: payments, direction: Outbound, fullyQualifiedDomainNames: ["*.vault.example"] }
resourceAssociations:
  - { name: orders, privateLinkResource: { id: orders }, profile: { id: web }, accessMode: Enforced }
`

void t.test('loadConfiguration loads settings and the perimeters that they name', async (t) => {
  const directory = t.testdir({
    'ringfence.yaml': settings,
    perimeters: { 'shop.yaml': perimeter },
  })
  const file = join(directory, 'ringfence.yaml')
  const loaded = await loadConfiguration(file, { instance: 'gateway-1' })
  if (loaded.kind === 'broken') throw new Error(loaded.problems[0]?.message)
  t.equal(loaded.settings.instance, 'gateway-1')
  t.equal(loaded.settings.timeouts.tunnelIdleMs, 300_000)
  t.match(loaded.perimeters[0], {
    name: 'shop',
    profiles: [
      {
        name: 'web',
        accessRules: [
          { name: 'office', direction: 'Inbound', addressPrefixes: [{ text: '203.0.113.0/24' }] },
          { name: 'payments', fullyQualifiedDomainNames: ['*.vault.example'] },
        ],
      },
    ],
    associations: [{ name: 'orders', profile: 'web', accessMode: 'Enforced' }],
  })
  t.same(loaded.watchedFiles, [
    file,
    join(directory, 'perimeters', 'shop.yaml'),
    join(directory, 'perimeters'),
  ])
})

void t.test('what loadConfiguration returns cannot be changed', async (t) => {
  const directory = t.testdir({
    'ringfence.yaml': settings,
    perimeters: { 'shop.yaml': perimeter },
  })
  const loaded = await loadConfiguration(join(directory, 'ringfence.yaml'), { instance: 'x' })
  if (loaded.kind === 'broken') throw new Error(loaded.problems[0]?.message)
  t.ok(Object.isFrozen(loaded.settings.resources[0]))
  t.ok(Object.isFrozen(loaded.perimeters[0]?.profiles[0]?.accessRules[0]))
  const { hosts } = loaded.settings.egress
  t.throws(() => Reflect.apply(Reflect.get(hosts, 'set'), hosts, ['a.example', []]), /frozen/)
})
