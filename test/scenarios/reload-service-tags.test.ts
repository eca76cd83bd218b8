import { join } from 'node:path'
import { rm } from 'node:fs/promises'
import t from 'tap'
import { ask } from '../support/http-get.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { eventually, metric, perimeterDocument, startInProcess } from '../support/ringfence.ts'
import { writeShop } from '../support/shop.ts'
import { connectMany, askAll, startTwoWorkers } from '../support/two-workers.ts'

const policy = { files: ['perimeters/*.yaml'], serviceTagsFile: 'tags.json' }

const perimeter = perimeterDocument('shop', {
  profiles: [
    { name: 'web', accessRules: [{ name: 'storage', serviceTags: ['Storage.WestEurope'] }] },
  ],
  resourceAssociations: [
    {
      name: 'orders',
      privateLinkResource: { id: 'orders' },
      profile: { id: 'web' },
      accessMode: 'Enforced',
    },
  ],
})

function tags(...addressPrefixes: readonly string[]): object {
  const others = Array.from({ length: 500 }, (_, index) => ({
    name: `Other${index}`,
    properties: { addressPrefixes: ['198.51.100.0/24', '2001:db8::/32'] },
  }))
  return { values: [...others, { name: 'Storage.WestEurope', properties: { addressPrefixes } }] }
}

const office = tags('127.0.0.0/8')
const elsewhere = tags('192.0.2.0/24')
const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'

void t.test(
  'service tags are read again when their file changes, and a broken one changes nothing',
  async (t) => {
    const origin = await startOrigin(() => {})
    t.teardown(() => origin.close())
    const shop = await writeShop(t, {
      backendPort: origin.port,
      settings: {
        policy,
        resources: [{ id: 'orders', hosts: ['orders.test'], backend: origin.url }],
      },
    })
    await shop.write('perimeters/shop.yaml', perimeter)
    await shop.write('tags.json', office)
    const instance = await startInProcess(t, shop)
    const port = instance.port('public')
    const health = instance.port('health')
    const failures = 'ringfence_policy_reload_failures_total'

    const waiting = await connectRaw({ port })
    t.teardown(() => waiting.destroy())
    waiting.send(get)
    await eventually(
      () => origin.seen.length,
      (seen) => seen === 1,
    )
    const { version } = instance.running.inForce()
    const isSaid = (words: RegExp): Promise<boolean> =>
      eventually(
        () => instance.log.lines.some(({ level, text }) => level === 'error' && words.test(text)),
        (said) => said,
      )
    await shop.write('tags.json', '{ "values": [')
    await isSaid(/tags\.json:1:\d+: error: not valid/)
    await rm(join(shop.folder, 'tags.json'))
    await isSaid(/tags\.json:1:1: error: the file does not exist/)
    t.equal(instance.running.inForce().version, version)
    t.ok((await metric(health, failures)) >= 2)

    await shop.write('tags.json', elsewhere)
    t.equal((await waiting.response()).status, 403, 'what is open ends with its tag')
    const { status } = await ask({ port, path: '/', headers: { host: 'orders.test' } })
    t.equal(status, 403)
  },
)

void t.test('service tags hold in every worker', async (t) => {
  const { instance, shop } = await startTwoWorkers(t)
  await shop.write('tags.json', office)
  await shop.write('perimeters/shop.yaml', perimeter)
  await shop.setSettings({ policy })
  await instance.running.reload('test')
  const clients = await connectMany(t, instance.port('public'))
  t.strictSame(new Set(await askAll(clients)), new Set([200]))
  await shop.write('tags.json', elsewhere)
  await instance.running.reload('test')
  t.strictSame(new Set(await askAll(clients)), new Set([403]))
})
