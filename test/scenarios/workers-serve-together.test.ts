import { stat } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../support/http-get.ts'
import type { LogRecord } from '../support/ringfence.ts'
import { eventually, metric, perimeterDocument } from '../support/ringfence.ts'
import { askAll, connectMany, startTwoWorkers } from '../support/two-workers.ts'

function timeOf(record: LogRecord & { readonly time?: string }): number {
  return Date.parse(record.time ?? '')
}

void t.test('both workers serve, under one count and one sequence', async (t) => {
  const { instance, shop, origin, threads } = await startTwoWorkers(t)
  t.equal(threads().length, 2)
  const clients = await connectMany(t, instance.port('public'))
  for (let round = 0; round < 5; round++) {
    t.same(new Set(await askAll(clients)), new Set([200]))
  }
  const count = 5 * clients.length
  t.equal(origin.seen.length, count)

  // Then every record is in the log once, in order and without a gap
  const records = await eventually(
    () => shop.records(),
    ({ length }) => length >= count,
  )
  t.same(
    records.map(({ properties }) => properties.sequence),
    Array.from({ length: count }, (_, index) => index + 1),
  )
  t.equal(new Set(records.map(({ properties }) => properties.boot)).size, 1)
  t.equal(new Set(records.map(({ correlationId }) => correlationId)).size, count)

  // and the metrics know all of them
  const health = instance.port('health')
  t.equal(
    await metric(
      health,
      `ringfence_requests_total{direction="Inbound",resource="${keyOf('orders')}",status="2xx"}`,
    ),
    count,
  )
  t.equal(await metric(health, 'ringfence_connections_total{direction="Inbound"}'), clients.length)
  t.equal(
    await metric(health, 'ringfence_open{kind="connection",direction="Inbound"}'),
    clients.length,
  )
  t.equal(await metric(health, 'ringfence_workers'), 2)
  t.equal(await metric(health, 'ringfence_access_log_records_total'), count)

  // and denials of both can be asked for
  await askAll(clients, 'GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\n')
  const { body } = await ask({ socketPath: shop.adminSocket, path: '/denials' })
  const { denials } = JSON.parse(body) as { denials: { reason: string; time: string }[] }
  t.equal(denials.length, clients.length)
  t.same(new Set(denials.map(({ reason }) => reason)), new Set(['unknown-resource']))
  const times = denials.map(({ time }) => time)
  t.same(times, times.toSorted().toReversed(), 'newest first')
})

void t.test('a reload is in force in both at once, and judges what is open in both', async (t) => {
  const { instance, shop } = await startTwoWorkers(t)
  const clients = await connectMany(t, instance.port('public'))
  const busy = await connectMany(t, instance.port('public'))
  const load = { on: true }
  const loading = (async () => {
    // What is under way when it becomes forbidden is cut off.
    while (load.on && !(await askAll(busy)).includes(undefined));
  })()
  const before = instance.running.inForce().version
  await shop.setRules({ office: false })
  t.match(await instance.running.reload('test'), { kind: 'reloaded' })
  const { version } = instance.running.inForce()
  t.not(version, before)
  t.same(new Set(await askAll(clients)), new Set([403]), 'every connection, from now on')
  load.on = false
  await loading

  const records = await eventually(
    () => shop.records(),
    (seen) => seen.some(({ properties }) => properties.policyVersion === version),
  )
  const of = (one: string) =>
    records.filter(({ properties }) => properties.policyVersion === one).map(timeOf)
  // A decision is a moment older than its record, or longer where the machine lets the thread wait.
  const slackMs = 200
  t.ok(Math.max(...of(before)) <= Math.min(...of(version)) + slackMs, 'no decision by the old one')
  const sequences = records.map(({ properties }) => properties.sequence)
  t.same(
    sequences,
    sequences.map((_, index) => index + 1),
  )
})

void t.test('a reload that is broken changes nothing in either', async (t) => {
  const { instance, shop } = await startTwoWorkers(t)
  const clients = await connectMany(t, instance.port('public'))
  await shop.write('perimeters/shop.yaml', 'name: [')
  t.match(await instance.running.reload('test'), { kind: 'failed' })
  t.same(new Set(await askAll(clients)), new Set([200]))
  for (let round = 0; round < 4; round++) {
    await shop.setRules({ marker: `round-${round}` })
    t.match(await instance.running.reload('test'), { kind: 'reloaded' })
    t.same(new Set(await askAll(clients)), new Set([200]), `round ${round}`)
  }
})

void t.test(
  'a policy that another thread compiled is in force in both, again and again',
  async (t) => {
    const { instance, shop } = await startTwoWorkers(t)
    // More than is compiled where it is loaded.
    const many = Array.from({ length: 3000 }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`)
    for (let round = 0; round < 4; round++) {
      const lets = round % 2 === 0
      await shop.write(
        'perimeters/shop.yaml',
        perimeterDocument('shop', {
          profiles: [
            {
              name: 'web',
              accessRules: [
                { name: 'many', direction: 'Inbound', addressPrefixes: many },
                ...(lets
                  ? [{ name: 'office', direction: 'Inbound', addressPrefixes: ['127.0.0.0/8'] }]
                  : []),
              ],
            },
          ],
          resourceAssociations: [
            {
              name: 'orders',
              privateLinkResource: { id: 'orders' },
              profile: { id: 'web' },
              accessMode: 'Enforced',
            },
          ],
        }),
      )
      t.match(await instance.running.reload('test'), { kind: 'reloaded' })
      const clients = await connectMany(t, instance.port('public'))
      t.same(new Set(await askAll(clients)), new Set([lets ? 200 : 403]), `round ${round}`)
    }
    t.match(instance.running.status(), { faults: 0, workers: { serving: 2, replaced: 0 } })
  },
)

void t.test('what a worker has begun, it finishes before the end, whichever it is', async (t) => {
  const held: { end(text: string): void }[] = []
  const { instance, shop } = await startTwoWorkers(t, {
    handle: (_, response) => held.push(response),
    settings: { timeouts: { drainMs: 10_000 } },
  })
  const clients = await connectMany(t, instance.port('public'))
  const answers = askAll(clients)
  await eventually(
    () => held.length,
    (count) => count === clients.length,
  )
  const stopped = instance.running.stop()
  await eventually(
    () =>
      ask({ port: instance.port('public'), path: '/' }).then(
        () => 'accepts',
        () => 'refuses',
      ),
    (seen) => seen === 'refuses',
  )
  for (const response of held) response.end('at last')
  t.same(new Set(await answers), new Set([200]))
  t.equal(await stopped, true)
  t.equal((await shop.records()).length, clients.length)
})

void t.test('a member reaches a member inside whichever worker has its request', async (t) => {
  const { instance, origin } = await startTwoWorkers(t)
  const authority = `vault.test:${instance.port('public')}`
  const clients = await connectMany(t, instance.port('egress'))
  const statuses = await askAll(
    clients,
    `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
  )
  t.same(new Set(statuses), new Set([200]))
  t.equal(origin.seen.length, clients.length)
})

void t.test('a listener on a Unix socket has the mode that settings say', async (t) => {
  const { shop, outside } = await startTwoWorkers(t, {
    settings: {
      outbound: [
        { name: 'egress', listen: { socket: 'egress.sock', mode: '0660' }, resource: 'orders' },
      ],
    },
  })
  const socketPath = join(shop.folder, 'egress.sock')
  t.equal((await stat(socketPath)).mode & 0o777, 0o660)
  const authority = `api.outside.test:${outside.port}`
  const status = await new Promise((resolve, reject) => {
    request(
      { socketPath, path: `http://${authority}/`, headers: { host: authority } },
      (response) => resolve(response.resume().statusCode),
    )
      .on('error', reject)
      .end()
  })
  t.equal(status, 200)
})

function keyOf(name: string): string {
  return `/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/shop/providers/ringfence.local/services/${name}`
}
