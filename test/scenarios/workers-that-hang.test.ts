import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { askAdmin, type ChildInstance, eventually, startChild } from '../support/ringfence.ts'
import { type Shop, writeShop } from '../support/shop.ts'
import { getOrders } from '../support/two-workers.ts'

type Test = Parameters<typeof writeShop>[0]

const hangFile = new URL('../support/hang-worker.ts', import.meta.url).href

/** Two workers, one of which does nothing any more from here on. */
async function startWithHungWorker(
  t: Test,
): Promise<{ readonly child: ChildInstance; readonly shop: Shop }> {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const shop = await writeShop(t, {
    backendPort: origin.port,
    settings: { workers: 2, timeouts: { drainMs: 500 } },
  })
  const file = join(shop.folder, 'HANG')
  const child = await startChild(t, shop, ['--import', `${hangFile}?${file}`])
  await shop.write('HANG', '')
  await eventually(
    () => existsSync(file),
    (isThere) => !isThere,
  )
  return { child, shop }
}

void t.test('a worker that hangs is replaced, and no rule stays because of it', async (t) => {
  const { child, shop } = await startWithHungWorker(t)

  // When a rule is withdrawn while it hangs
  await shop.setRules({ office: false })
  const reloaded = await askAdmin(shop, { method: 'POST', path: '/reload' })

  // Then that is in force as soon as it is ended
  t.equal(reloaded.status, 200)
  await child.says(/a worker hangs/)
  await eventually(
    () => askAdmin(shop, { path: '/status' }),
    ({ json }) => (json['workers'] as { readonly serving: number }).serving === 2,
  )
  const client = await connectRaw({ port: child.port('public') })
  client.send(getOrders)
  t.equal((await client.response()).status, 403)
  client.destroy()
})

void t.test('a worker that hangs holds up neither denials nor the end', async (t) => {
  const { child, shop } = await startWithHungWorker(t)
  t.equal((await askAdmin(shop, { path: '/denials' })).status, 200)
  await child.says(/the denials lack its own/)
  const asked = performance.now()
  child.child.kill('SIGTERM')
  t.not(await child.exited, 'SIGKILL')
  const ms = performance.now() - asked
  t.ok(ms < 15_000, `${Math.round(ms)} ms`)
})
