import { join } from 'node:path'
import t from 'tap'
import { loadInForce, type LoadRequest } from '../../src/compose/load-in-force.ts'
import { createArenaPair } from '../../src/workers/arena-pair.ts'
import { createAuthority } from '../support/certificates.ts'
import { writeShop } from '../support/shop.ts'

type Test = Pick<typeof t, 'teardown'>

async function load(configFile: string, change: Partial<LoadRequest> = {}) {
  return loadInForce({
    configFile,
    instance: 'test',
    running: undefined,
    ownListeners: () => [],
    arenas: createArenaPair,
    ...change,
  })
}

/** On another thread, whatever the size. */
const elsewhere = { mostBytesHere: 0 }

async function shopWithTls(t: Test, settings: object = {}) {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { certificateFile, keyFile } = authority.issue('orders.test')
  const tls = { certificateFile, keyFile }
  const shop = await writeShop(t, {
    backendPort: 1,
    settings: {
      inbound: [{ name: 'public', listen: { host: '127.0.0.1', port: 0 }, tls }],
      ...settings,
    },
  })
  return { shop, certificateFile, keyFile }
}

void t.test('loadInForce reads everything and says what to watch', async (t) => {
  const { shop, certificateFile, keyFile } = await shopWithTls(t)
  const loaded = await load(shop.configFile)
  if (loaded.kind !== 'loaded') throw new Error(loaded.problems.join('\n'))
  t.match(loaded.pems.get('public')?.cert, /BEGIN CERTIFICATE/)
  t.equal(loaded.inForce.settings.instance, 'test')
  t.strictSame(
    new Set(loaded.watchPaths),
    new Set([
      shop.configFile,
      join(shop.folder, 'perimeters', 'shop.yaml'),
      join(shop.folder, 'perimeters', '*.yaml'),
      certificateFile,
      keyFile,
    ]),
    'files and patterns, no directory: an unrelated file there is no reason to reload',
  )
})

void t.test('loadInForce of broken files says where a repair would show', async (t) => {
  const { shop } = await shopWithTls(t)
  await shop.write('perimeters/shop.yaml', 'name: [')
  const loaded = await load(shop.configFile)
  if (loaded.kind !== 'failed') throw new Error('it was loaded')
  t.match(loaded.problems[0], /shop\.yaml:\d+:\d+: error: /)
  t.ok(loaded.watchPaths.includes(shop.configFile))
  t.ok(loaded.watchPaths.includes(join(shop.folder, 'perimeters', 'shop.yaml')))
})

void t.test('loadInForce on another thread comes to the same as on this one', async (t) => {
  const { shop } = await shopWithTls(t)
  const here = await load(shop.configFile)
  const there = await load(shop.configFile, elsewhere)
  if (here.kind !== 'loaded' || there.kind !== 'loaded') throw new Error('both load')
  t.equal(here.filling, undefined)
  t.ok(there.filling)
  t.equal(there.inForce.version, here.inForce.version)
  t.strictSame(there.running, here.running)
  t.strictSame(there.inForce.settings, here.inForce.settings)
  t.strictSame(there.watchPaths, here.watchPaths)
  t.strictSame(there.warnings, here.warnings)
  t.ok(here.warnings.length > 0, 'there are some')
  t.strictSame([...there.pems], [...here.pems])
  t.ok(Object.isFrozen(there.inForce.settings.inbound[0]))
  const [shopThere] = there.inForce.snapshot.perimetersByGuid.values()
  const [shopHere] = here.inForce.snapshot.perimetersByGuid.values()
  t.strictSame(shopThere?.perimeter, shopHere?.perimeter)
  t.ok(Object.isFrozen(shopThere?.perimeter.associations[0]))
  t.strictSame(
    [...(shopThere?.profiles[0]?.rules.lines() ?? [])],
    [...(shopHere?.profiles[0]?.rules.lines() ?? [])],
  )
})

void t.test('loadInForce on another thread keeps what only a restart changes', async (t) => {
  const { shop } = await shopWithTls(t)
  const first = await load(shop.configFile)
  if (first.kind !== 'loaded') throw new Error('it loads')
  await shop.setSettings({ inbound: [] })
  const { running } = first
  const here = await load(shop.configFile, { running })
  const there = await load(shop.configFile, { running, ...elsewhere })
  if (here.kind !== 'loaded' || there.kind !== 'loaded') throw new Error('both load')
  t.match(here.needsRestart, [/was removed/])
  t.strictSame(there.needsRestart, here.needsRestart)
  t.strictSame(there.running, here.running)
  t.equal(there.inForce.version, here.inForce.version)
})

const broken = [
  { note: 'text that is no YAML', text: 'name: [' },
  {
    note: 'many mistakes in the rules',
    text: 'name: shop\nprofiles:\n  - name: web\n    accessRules:\n      - { name: a, addressPrefixes: [10.0.0.1/8] }\n      - { name: a, fullyQualifiedDomainNames: ["*"] }\n',
  },
] as const

for (const { note, text } of broken) {
  void t.test(`loadInForce tells the same problems from another thread: ${note}`, async (t) => {
    const { shop } = await shopWithTls(t)
    await shop.write('perimeters/shop.yaml', text)
    const here = await load(shop.configFile)
    const there = await load(shop.configFile, elsewhere)
    t.match(here, { kind: 'failed', problems: [/shop\.yaml:\d+:\d+: error: /] })
    t.strictSame(there, here)
  })
}

void t.test('loadInForce tells broken settings here, whatever the perimeters', async (t) => {
  const { shop } = await shopWithTls(t)
  await shop.write('ringfence.yaml', 'policy: 7')
  const there = await load(shop.configFile, elsewhere)
  t.match(there, { kind: 'failed', problems: [/ringfence\.yaml:1:\d+: error: /] })
})

void t.test('loadInForce is broken off on another thread', async (t) => {
  const { shop } = await shopWithTls(t)
  const there = await load(shop.configFile, { ...elsewhere, signal: AbortSignal.abort() })
  t.match(there, { kind: 'failed', problems: ['the load was broken off, the process stops'] })
})
