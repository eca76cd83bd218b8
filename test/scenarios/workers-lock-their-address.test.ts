import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { startInProcess } from '../support/ringfence.ts'
import { writeShop } from '../support/shop.ts'
import { askAll, connectMany, startTwoWorkers } from '../support/two-workers.ts'

type Test = Pick<typeof t, 'teardown'>

/** Settings of a shop with two workers on one port of an address. */
function settingsAt(host: string, port: number): object {
  return {
    workers: 2,
    inbound: [{ name: 'public', listen: { host, port } }],
    outbound: [],
  }
}

async function startAt(t: Test, { host, port }: { readonly host: string; readonly port: number }) {
  const shop = await writeShop(t, { backendPort: 1, settings: settingsAt(host, port) })
  return startInProcess(t, shop)
}

void t.test('a second instance on the same address refuses to start', async (t) => {
  const { instance, shop } = await startTwoWorkers(t)
  const port = instance.port('public')
  for (const { note, host, says } of [
    { note: 'the same', host: '127.0.0.1', says: /another instance serves there/ },
    { note: 'one that covers it', host: '0.0.0.0', says: /something else listens there/ },
  ]) {
    await t.rejects(startAt(t, { host, port }), { code: 'RF_LISTEN', message: says }, note)
  }
  t.same(new Set(await askAll(await connectMany(t, port))), new Set([200]), 'the first serves')

  // When the first is gone, its place is free
  await instance.running.stop()
  const second = await startAt(t, { host: '127.0.0.1', port })
  t.equal(second.port('public'), port)
  t.equal((await shop.records()).length, 32)
})

void t.test('where anything else listens, it refuses to start and leaves no thread', async (t) => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  await t.rejects(startAt(t, { host: '127.0.0.1', port: address.port }), {
    code: 'RF_LISTEN',
    message: /something else listens there/,
  })
})

void t.test('where a worker cannot listen, it says why, and no thread is left', async (t) => {
  const shop = await writeShop(t, {
    backendPort: 1,
    settings: {
      workers: 2,
      outbound: [
        { name: 'egress', listen: { socket: 'no/such/folder/egress.sock' }, resource: 'orders' },
      ],
    },
  })
  const before = process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length
  await t.rejects(startInProcess(t, shop), {
    code: 'RF_LISTEN',
    message: /egress\.sock`: the directory does not exist/,
  })
  const after = process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length
  t.equal(after, before)
})
