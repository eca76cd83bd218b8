import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { eventually, metric, startInProcess } from '../support/ringfence.ts'
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

void t.test('a worker that ends takes only its own connections with it', async (t) => {
  const { instance, shop, threads } = await startTwoWorkers(t)
  const clients = await connectMany(t, instance.port('public'))
  t.same(new Set(await askAll(clients)), new Set([200]))

  // When one of the two is killed
  await threads()[0]?.terminate()
  const statuses = await askAll(clients)
  const broken = statuses.filter((status) => status === undefined).length

  // Then the connections of the other go on
  t.ok(broken > 0 && broken < clients.length, `${broken} of ${clients.length} broke`)
  t.same(new Set(statuses.filter((status) => status !== undefined)), new Set([200]))

  // and another takes its place, under the policy in force
  const health = instance.port('health')
  await eventually(
    () => instance.running.status().workers,
    ({ serving, replaced }) => serving === 2 && replaced === 1,
  )
  t.equal(threads().length, 3)
  t.equal(await metric(health, 'ringfence_workers'), 2)
  t.equal(await metric(health, 'ringfence_workers_replaced_total'), 1)
  t.match(
    instance.log.lines.filter(({ level }) => level === 'error'),
    [{ text: /a worker has ended/ }],
  )
  await shop.setRules({ office: false })
  t.match(await instance.running.reload('test'), { kind: 'reloaded' })
  const again = await connectMany(t, instance.port('public'))
  t.same(new Set(await askAll(again)), new Set([403]))

  // and nothing of what it counted is gone, or counted as open for ever
  await eventually(
    () => metric(health, 'ringfence_connections_total{direction="Inbound"}'),
    (count) => count === clients.length + again.length,
  )
  for (const client of [...clients, ...again]) client.destroy()
  await eventually(
    () => metric(health, 'ringfence_open{kind="connection",direction="Inbound"}'),
    (count) => count === 0,
  )
})

void t.test('a worker that keeps ending is brought back later and later', async (t) => {
  const { instance, threads } = await startTwoWorkers(t)
  const startedAt: number[] = []
  for (let round = 1; round <= 3; round++) {
    await threads().at(-1)?.terminate()
    await eventually(
      () => instance.running.status().workers,
      ({ serving, replaced }) => serving === 2 && replaced === round,
    )
    startedAt.push(performance.now())
  }
  const [first = 0, second = 0, third = 0] = startedAt
  t.ok(second - first >= 100, `${second - first} ms`)
  t.ok(third - second >= 200, `${third - second} ms`)
})

void t.test('with no worker left it is not ready, and then again', async (t) => {
  const { instance, threads } = await startTwoWorkers(t)
  const ended = threads().map((thread) => thread.terminate())
  await Promise.all(ended)
  t.match(instance.running.status(), { workers: { wanted: 2, serving: 0 } })
  await eventually(
    () => instance.running.status().workers.serving,
    (serving) => serving === 2,
  )
  t.same(new Set(await askAll(await connectMany(t, instance.port('public')))), new Set([200]))
})

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
