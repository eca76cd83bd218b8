import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
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

void t.test('the authority of a back end is read by a reload and by no request', async (t) => {
  const [authority, other] = [createAuthority(), createAuthority()]
  const origin = await startOrigin(undefined, { tls: authority.issue('127.0.0.1') })
  t.teardown(async () => {
    await origin.close()
    authority.remove()
    other.remove()
  })
  const shop = await writeShop(t, { backendPort: 1 })
  const file = join(shop.folder, 'ca.pem')
  await copyFile(authority.caFile, file)
  const orders = {
    id: 'orders',
    hosts: ['orders.test'],
    backend: origin.url,
    backendCaFile: 'ca.pem',
  }
  await shop.setSettings({ resources: [orders, { id: 'vault', hosts: ['vault.test'] }] })
  const instance = await startInProcess(t, shop)
  const port = instance.port('public')
  const get = () => ask({ port, path: '/', headers: { host: 'orders.test' } })
  const reload = () => askAdmin(shop, { method: 'POST', path: '/reload' })

  // When the file goes before the first request, and then holds something else
  for (const [text, problem] of [
    [undefined, /ringfence\.yaml:\d+:\d+: error: the file does not exist/],
    ['no certificate', /ringfence\.yaml:\d+:\d+: error: the file holds no certificate in PEM form/],
  ] as const) {
    if (text === undefined) await rm(file)
    else await writeFile(file, text)
    t.match((await reload()).json, { reloaded: false, problems: [problem] })
    t.equal((await get()).status, 200, 'verified against what was read')
  }

  // Then another authority counts from its reload on, and so does the first again
  await copyFile(other.caFile, file)
  t.match((await reload()).json, { reloaded: true })
  t.match(await get(), { status: 502, body: /tls-failed/ })
  await writeFile(file, await readFile(authority.caFile))
  t.match((await reload()).json, { reloaded: true })
  t.equal((await get()).status, 200)
})
