import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../support/http-get.ts'
import { askAdmin, eventually, metric, startInProcess } from '../support/ringfence.ts'
import { startOrigin } from '../support/origin.ts'
import { shopPerimeter, writeShop } from '../support/shop.ts'

const failures = 'ringfence_policy_reload_failures_total'

void t.test('a broken file changes nothing but the log, the metric and /readyz', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = await startInProcess(t, shop)
  const health = instance.port('health')
  const { version } = instance.running.inForce()
  const inForce = instance.running.inForce()
  const get = () =>
    ask({ port: instance.port('public'), path: '/', headers: { host: 'orders.test' } })
  t.equal((await get()).status, 200)

  // When a perimeter file breaks
  await shop.write('perimeters/shop.yaml', 'name: shop\nprofiles: [\n')
  await eventually(
    () => metric(health, failures),
    (count) => count === 1,
  )

  // Then it is said, with its place
  const failed = instance.log.lines.filter(({ level }) => level === 'error')
  t.match(failed[0]?.text, /shop\.yaml:\d+:\d+: error: /)
  const ready = await ask({ port: health, path: '/readyz' })
  t.equal(ready.status, 200)
  t.match(JSON.parse(ready.body), { ready: true, lastReloadFailed: true, policyVersion: version })
  t.notMatch(ready.body, /shop\.yaml/)
  t.match((await askAdmin(shop, { path: '/status' })).json, {
    lastReloadFailed: true,
    lastProblems: [/shop\.yaml:\d+:\d+: error: /],
  })
  const again = await askAdmin(shop, { method: 'POST', path: '/reload' })
  t.equal(again.status, 422)
  t.match(again.json, { reloaded: false, version, problems: [/error: /] })

  // and nothing has changed
  t.equal(instance.running.inForce(), inForce)
  t.equal((await get()).status, 200)

  // When the settings break too, and everything is repaired
  await shop.write('ringfence.yaml', 'nonsense: true\n')
  await eventually(
    () => metric(health, failures),
    (count) => count >= 3,
  )
  t.equal(instance.running.inForce(), inForce)
  await shop.setSettings({})
  await shop.setRules({ office: false })

  // Then the repaired policy counts
  const repaired = await eventually(
    () => ask({ port: health, path: '/readyz' }),
    ({ body }) => !(JSON.parse(body) as { lastReloadFailed: boolean }).lastReloadFailed,
  )
  t.not((JSON.parse(repaired.body) as { policyVersion: string }).policyVersion, version)
  t.equal((await get()).status, 403)
})

void t.test('a perimeter file that becomes a directory takes no perimeter away', async (t) => {
  const shop = await writeShop(t, { backendPort: 1 })
  // So that the pattern still finds one.
  const other = { ...shopPerimeter({}), name: 'other', profiles: [], resourceAssociations: [] }
  await shop.write('perimeters/other.yaml', other)
  const instance = await startInProcess(t, shop)
  const { version } = instance.running.inForce()
  const file = join(shop.folder, 'perimeters', 'shop.yaml')
  await rm(file)
  await mkdir(file)
  const answer = await askAdmin(shop, { method: 'POST', path: '/reload' })
  t.equal(answer.status, 422)
  t.match(answer.json, { reloaded: false, version, problems: [/shop\.yaml.*error: /] })
})

void t.test('a perimeter that is moved away is missed aloud', async (t) => {
  const shop = await writeShop(t, { backendPort: 1 })
  const other = { ...shopPerimeter({}), name: 'other', profiles: [], resourceAssociations: [] }
  await shop.write('perimeters/other.yaml', other)
  const instance = await startInProcess(t, shop)
  await rm(join(shop.folder, 'perimeters', 'shop.yaml'))
  await eventually(
    async () => instance.log.lines.filter(({ level }) => level === 'warn'),
    (lines) => lines.some(({ text }) => /`orders` is no longer in the perimeter `shop`/.test(text)),
  )
})
