import { join } from 'node:path'
import t from 'tap'
import { loadInForce } from '../../src/compose/load-in-force.ts'
import { createPrivateArena } from '../../src/policy/arena.ts'
import { createAuthority } from '../support/certificates.ts'
import { writeShop } from '../support/shop.ts'

type Test = Pick<typeof t, 'teardown'>

async function load(configFile: string) {
  return loadInForce({
    configFile,
    instance: 'test',
    running: undefined,
    ownListeners: () => [],
    arenaFor: () => Promise.resolve(createPrivateArena()),
  })
}

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
