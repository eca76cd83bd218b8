import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../support/http-get.ts'
import {
  askAdmin,
  eventually,
  scope,
  spawnRingfence,
  startChild,
  startInProcess,
} from '../support/ringfence.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { shopPerimeter, writeShop } from '../support/shop.ts'

type Test = Pick<typeof t, 'teardown'>

async function startBackend(t: Test): Promise<Origin> {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  return origin
}

async function statusOf(port: number): Promise<number> {
  const { status } = await ask({ port, path: '/', headers: { host: 'orders.test' } })
  return status
}

void t.test('a ConfigMap that is swapped is in force within seconds, each time', async (t) => {
  const origin = await startBackend(t)
  const shop = await writeShop(t, {
    backendPort: origin.port,
    settings: { policy: { files: ['mounted/*.yaml'] } },
  })
  const mounted = join(shop.folder, 'mounted')
  await mkdir(mounted)
  const publish = async (version: string, rules: Parameters<typeof shopPerimeter>[0]) => {
    await mkdir(join(mounted, version))
    await writeFile(join(mounted, version, 'shop.yaml'), JSON.stringify(shopPerimeter(rules)))
    await symlink(version, join(mounted, '..data_tmp'))
    await rename(join(mounted, '..data_tmp'), join(mounted, '..data'))
  }
  await publish('..1', {})
  await symlink('..data/shop.yaml', join(mounted, 'shop.yaml'))
  const instance = await startInProcess(t, shop)
  const port = instance.port('public')
  t.equal(await statusOf(port), 200)
  for (const [version, office, status] of [
    ['..2', false, 403],
    ['..3', true, 200],
    ['..4', false, 403],
  ] as const) {
    await publish(version, { office })
    t.equal(
      await eventually(
        () => statusOf(port),
        (seen) => seen === status,
      ),
      status,
      version,
    )
  }
})

void t.test('a file that is renamed over, as editors do, is in force', async (t) => {
  const origin = await startBackend(t)
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = await startInProcess(t, shop)
  const file = join(shop.folder, 'perimeters', 'shop.yaml')
  await writeFile(`${file}~`, JSON.stringify(shopPerimeter({ office: false })))
  await rename(`${file}~`, file)
  const port = instance.port('public')
  t.equal(
    await eventually(
      () => statusOf(port),
      (seen) => seen === 403,
    ),
    403,
  )
})

void t.test('the admin socket reloads and answers when it is done', async (t) => {
  const origin = await startBackend(t)
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = await startInProcess(t, shop)
  await shop.setRules({ office: false })
  const { status, json } = await askAdmin(shop, { method: 'POST', path: '/reload' })
  t.equal(status, 200)
  t.match(json, { reloaded: true, version: instance.running.inForce().version })
  t.equal(await statusOf(instance.port('public')), 403)
})

void t.test('SIGHUP reloads and opens the access log again', async (t) => {
  const origin = await startBackend(t)
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = await startChild(t, shop)
  const port = instance.port('public')
  t.equal(await statusOf(port), 200)
  await eventually(
    () => shop.records(),
    (records) => records.length === 1,
  )
  await rename(shop.auditFile, `${shop.auditFile}.1`)
  instance.child.kill('SIGHUP')
  await instance.says(/"msg":"reloaded"/)
  t.equal(await statusOf(port), 200)
  const records = await eventually(
    () => shop.records(),
    (seen) => seen.length === 1,
  )
  t.match(records[0], { properties: { sequence: 2 } }, 'the second goes to the new file')
  t.match(await readFile(`${shop.auditFile}.1`, 'utf8'), /"sequence":1[,}]/)
})

/** Whether the process would hear of SIGHUP: its bit in the mask of what is caught (proc_pid_status(5)). */
function hearsHangUps(pid: number | undefined): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (BigInt(`0x${caught ?? 0}`) & 1n) === 1n
}

void t.test('SIGHUP during the start is made good as soon as it is complete', async (t) => {
  const shop = await writeShop(t, { backendPort: 9 })
  const offices = Array.from({ length: 60_000 }, (_, index) => ({
    name: `office-${index}`,
    addressPrefixes: [`10.${index >> 8}.${index & 255}.0/24`],
  }))
  // Long enough for the signal to come in the middle of it.
  const large = { name: 'large', ...scope, profiles: [{ name: 'web', accessRules: offices }] }
  await shop.write('perimeters/large.yaml', large)
  const instance = spawnRingfence(t, ['run', '--config', shop.configFile])
  const { child } = instance
  await eventually(
    () => hearsHangUps(child.pid),
    (hears) => hears,
  )
  t.notOk(existsSync(shop.adminSocket), 'nothing listens yet')
  child.kill('SIGHUP')
  await instance.says(/^ready in /m)
  await instance.says(/"triggers":\["SIGHUP"\].*"msg":"reloaded"/)
})
