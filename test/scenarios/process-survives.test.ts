import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import t from 'tap'
import { ask } from '../support/http-get.ts'
import { askAdmin, eventually, metric, startChild } from '../support/ringfence.ts'
import { startOrigin } from '../support/origin.ts'
import { type Shop, writeShop } from '../support/shop.ts'

type Test = Pick<typeof t, 'teardown'>

async function shopWith(t: Test, settings: object = {}): Promise<Shop> {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  return writeShop(t, { backendPort: origin.port, settings })
}

async function statusOf(port: number): Promise<number> {
  return (await ask({ port, path: '/', headers: { host: 'orders.test' } })).status
}

void t.test('a full disk does not end the process, and it is said', async (t) => {
  const shop = await shopWith(t, {
    audit: {
      file: '/dev/full',
      flushIntervalMs: 10,
      bufferBytes: 65_536,
      onFailure: 'continue',
    },
  })
  const instance = await startChild(t, shop)
  const port = instance.port('public')
  const statuses = new Set<number>()
  for (let count = 0; count < 150; count++) statuses.add(await statusOf(port))
  t.strictSame([...statuses], [200])
  const health = instance.port('health')
  const lost = await eventually(
    () => metric(health, 'ringfence_access_log_lost_total'),
    (count) => count > 0,
  )
  t.ok(lost > 0)
  t.match(instance.stderr(), /access log/)
  t.equal((await ask({ port: health, path: '/livez' })).status, 200)
  instance.child.kill('SIGTERM')
  t.equal(await instance.exited, 0)
})

void t.test('kill -9 loses no more than one flush interval', async (t) => {
  const flushIntervalMs = 50
  const shop = await shopWith(t, { audit: { file: 'access.log', flushIntervalMs } })
  const instance = await startChild(t, shop)
  const port = instance.port('public')
  const answeredAt: number[] = []
  const loading = { on: true }
  const load = (async () => {
    while (loading.on) {
      try {
        await statusOf(port)
        answeredAt.push(performance.now())
      } catch {
        return
      }
    }
  })()
  // Long enough for several intervals.
  await eventually(
    () => (answeredAt.at(-1) ?? 0) - (answeredAt[0] ?? 0),
    (durationMs) => durationMs > 500,
  )
  const killedAt = performance.now()
  instance.child.kill('SIGKILL')
  await instance.exited
  loading.on = false
  await load
  const written = new Set((await shop.records()).map(({ properties }) => properties.sequence))
  // Answered one after the other: the n-th answer has sequence n. The margin is for a busy machine.
  const marginMs = 100
  const due = answeredAt.filter((at) => at < killedAt - flushIntervalMs - marginMs).length
  t.ok(due > 0)
  for (let sequence = 1; sequence <= due; sequence++) {
    if (!written.has(sequence)) t.fail(`record ${sequence} is missing`)
  }
  t.ok(written.size >= due)
})

void t.test('bad peers do not end the process and leave no fault', async (t) => {
  const shop = await shopWith(t)
  const instance = await startChild(t, shop)
  const ports = ['public', 'egress', 'health'].map((name) => instance.port(name))
  const attacks = [
    '',
    '\0\0\0\0',
    'GET',
    'GET / HTTP/1.1\r\nhost: orders.test\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
    'CONNECT x HTTP/1.1\r\n\r\n',
    'CONNECT [::1]:443 HTTP/1.1\r\nhost: [::1]:443\r\n\r\nearly',
    'GET http:// HTTP/1.1\r\nhost: a\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: orders.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ]
  for (const port of ports) {
    for (const bytes of attacks) {
      for (const how of ['end', 'reset'] as const) {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => undefined)
        // Some connections are meant to be kept: those are left after a while.
        const closed = new Promise<void>((resolve) => {
          socket.once('close', () => resolve())
          setTimeout(resolve, 200)
        })
        await once(socket, 'connect')
        socket.write(bytes, 'latin1')
        if (how === 'reset') socket.resetAndDestroy()
        else socket.end().resume()
        await closed
        socket.destroy()
      }
    }
  }
  t.equal(await statusOf(instance.port('public')), 200)
  t.match((await askAdmin(shop, { path: '/status' })).json, { faults: 0 })
  t.notMatch(instance.stderr(), /bug:/)
})

void t.test('readers of its streams that go away do not end the process', async (t) => {
  const shop = await shopWith(t, {
    audit: { file: '-', flushIntervalMs: 10, bufferBytes: 65_536, onFailure: 'continue' },
  })
  const instance = await startChild(t, shop)
  const port = instance.port('public')
  const health = instance.port('health')
  t.equal(await statusOf(port), 200)
  await eventually(
    () => instance.stdout(),
    (text) => text.includes('"sequence":1'),
  )
  instance.child.stdout?.destroy()
  instance.child.stderr?.destroy()
  const statuses = new Set<number>()
  for (let count = 0; count < 150; count++) statuses.add(await statusOf(port))
  await askAdmin(shop, { method: 'POST', path: '/reload' })
  t.strictSame([...statuses], [200])
  await eventually(
    () => metric(health, 'ringfence_access_log_lost_total'),
    (count) => count > 0,
  )
  t.match((await askAdmin(shop, { path: '/status' })).json, { ready: true, faults: 0 })
  instance.child.kill('SIGTERM')
  t.equal(await instance.exited, 0)
})

void t.test('the admin socket belongs to its owner alone', async (t) => {
  const shop = await shopWith(t)
  await startChild(t, shop)
  t.equal((await stat(shop.adminSocket)).mode & 0o777, 0o600)
})

void t.test('curl finds a denial by the correlation id that the client was told', async (t) => {
  const shop = await shopWith(t)
  await shop.setRules({ office: false })
  const instance = await startChild(t, shop)
  const denied = await ask({
    port: instance.port('public'),
    path: '/',
    headers: { host: 'orders.test' },
  })
  t.equal(denied.status, 403)
  const id = String(denied.headers['x-ms-request-id'])
  const { stdout } = spawnSync(
    'curl',
    ['-sS', '--unix-socket', shop.adminSocket, `http://admin/denials?correlationId=${id}`],
    { encoding: 'utf8' },
  )
  t.match(JSON.parse(stdout), {
    denials: [{ correlationId: id, reason: 'no-matching-rule', direction: 'Inbound' }],
  })
  t.equal(await metric(instance.port('health'), 'ringfence_policy_reload_failures_total'), 0)
})
