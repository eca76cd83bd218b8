import t from 'tap'
import { eventually, type LogRecord, metric } from '../support/ringfence.ts'
import { askAll, connectMany, getOrders, startTwoWorkers } from '../support/two-workers.ts'

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

void t.test('what a worker had not handed over when it ended is counted as lost', async (t) => {
  const { instance, shop, threads } = await startTwoWorkers(t)
  const clients = await connectMany(t, instance.port('public'))
  let answered = 0
  const load = clients.map(async (client) => {
    for (;;) {
      client.send(getOrders)
      try {
        await client.response()
      } catch {
        return
      }
      answered++
    }
  })
  await eventually(
    () => answered,
    (count) => count > 200,
  )
  await threads()[0]?.terminate()
  await threads()[1]?.terminate()
  await Promise.all(load)
  await instance.running.stop()
  const records = (await shop.records()) as readonly (LogRecord & {
    readonly properties: { readonly recordsLost?: number }
  })[]
  const lost = records.reduce((sum, { properties }) => sum + (properties.recordsLost ?? 0), 0)
  t.equal(lost, instance.running.status().accessLog.lost)
  const written = records.filter(({ properties }) => properties.recordsLost === undefined).length
  // A request may have its record and never its answer.
  t.ok(written + lost >= answered, `${answered} answers, ${written} records, ${lost} lost`)
  t.ok(written + lost <= answered + clients.length)
  const sequences = records.map(({ properties }) => properties.sequence)
  t.same(
    sequences,
    sequences.map((_, index) => index + 1),
  )
})

void t.test(
  'a worker that is being replaced when the end begins does not hold it up',
  async (t) => {
    const { instance, threads } = await startTwoWorkers(t, {
      settings: { timeouts: { drainMs: 500 } },
    })
    await threads()[0]?.terminate()
    await eventually(
      () => threads().length,
      (count) => count === 3,
    )
    t.equal(await instance.running.stop(), true)
    t.equal(threads().length, 3, 'and nothing is replaced any more')
    t.match(instance.running.status().workers, { serving: 0 })
  },
)
