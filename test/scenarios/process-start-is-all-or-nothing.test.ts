import { createServer } from 'node:net'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import t from 'tap'
import { startRingfence } from '../../src/compose.ts'
import { collectLog, eventually } from '../support/ringfence.ts'
import { writeShop } from '../support/shop.ts'

/** What this process has open that would keep listening or watching. */
function openServers(): readonly string[] {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => /Server|FSEvent/.test(kind))
    .toSorted()
}

/** Handles go a moment after they are closed. */
async function isAsBefore(before: readonly string[]): Promise<boolean> {
  await eventually(openServers, (seen) => seen.join() === before.join())
  return true
}

void t.test('a start that fails at a late listener leaves nothing open', async (t) => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const address = taken.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const listen = { host: '127.0.0.1', port: address.port }
  const shop = await writeShop(t, { backendPort: 1, settings: { health: { listen } } })
  const before = openServers()

  await t.rejects(startRingfence({ configFile: shop.configFile, log: collectLog() }), {
    code: 'RF_LISTEN',
  })

  t.ok(await isAsBefore(before))
  t.notOk((await readdir(shop.folder)).includes('admin.sock'))
})

void t.test('a stop leaves nothing open', async (t) => {
  const shop = await writeShop(t, { backendPort: 1 })
  const before = openServers()
  const running = await startRingfence({ configFile: shop.configFile, log: collectLog() })
  t.not(openServers().length, before.length, 'the test sees what is open')
  t.equal(await running.stop(), true)
  t.equal(await running.stop(), true, 'a second stop waits for the first')
  t.ok(await isAsBefore(before))
  t.notOk((await readdir(shop.folder)).includes('admin.sock'))
})
