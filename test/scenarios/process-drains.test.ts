import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { ask } from '../support/http-get.ts'
import { connectRaw } from '../support/raw-client.ts'
import { type ChildInstance, eventually, spawnRingfence, startChild } from '../support/ringfence.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { type Shop, writeShop } from '../support/shop.ts'

type Test = Pick<typeof t, 'teardown'>

/** A back end that answers when the test says so. */
async function startHeldOrigin(t: Test) {
  const held: ServerResponse[] = []
  const origin = await startOrigin((request, response) => {
    if (request.url === '/held') held.push(response)
    else response.end('ok')
  })
  t.teardown(() => origin.close())
  return { origin, held }
}

async function readyStatus(instance: ChildInstance): Promise<number> {
  return (await ask({ port: instance.port('health'), path: '/readyz' })).status
}

async function refusesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const outcome = await Promise.race([
    once(socket, 'connect').then(() => false),
    once(socket, 'error').then(
      () => true,
      () => true,
    ),
  ]).catch(() => true)
  socket.destroy()
  return outcome
}

async function lastRecords(shop: Shop) {
  return shop.records()
}

void t.test('SIGTERM: inbound finishes first, outbound serves it meanwhile', async (t) => {
  const { origin, held } = await startHeldOrigin(t)
  const outside = await startOrigin()
  t.teardown(() => outside.close())
  const shop = await writeShop(t, { backendPort: origin.port, outsidePorts: [outside.port] })
  const instance = await startChild(t, shop)
  const inbound = instance.port('public')
  const egress = instance.port('egress')
  const goOut = () =>
    ask({
      port: egress,
      path: `http://api.outside.test:${outside.port}/`,
      headers: { host: `api.outside.test:${outside.port}` },
    })

  // Given a request in flight
  const inFlight = ask({ port: inbound, path: '/held', headers: { host: 'orders.test' } })
  await eventually(
    () => held.length,
    (count) => count === 1,
  )

  // When it is told to stop
  instance.child.kill('SIGTERM')
  await eventually(
    () => readyStatus(instance),
    (status) => status === 503,
  )

  // Then inbound takes nothing new, outbound does
  t.ok(await refusesConnections(inbound))
  t.equal((await goOut()).status, 200)
  t.equal((await goOut()).status, 200, 'and again')

  // and when the request is answered, everything ends at once
  held[0]?.end('at last')
  t.match(await inFlight, { status: 200, body: 'at last' })
  t.equal(await instance.exited, 0)
  t.equal((await lastRecords(shop)).length, 3, 'every record is in the log')
})

void t.test('SIGTERM with nothing in flight exits at once', async (t) => {
  const { origin } = await startHeldOrigin(t)
  const shop = await writeShop(t, {
    backendPort: origin.port,
    settings: { timeouts: { drainMs: 60_000 } },
  })
  const instance = await startChild(t, shop)
  // An idle keep-alive connection is nothing in flight.
  const idle = await connectRaw({ port: instance.port('public') })
  t.teardown(() => idle.destroy())
  idle.send('GET / HTTP/1.1\r\nhost: orders.test\r\n\r\n')
  t.equal((await idle.response()).status, 200)
  const at = performance.now()
  instance.child.kill('SIGTERM')
  t.equal(await instance.exited, 0)
  t.ok(performance.now() - at < 5000)
  t.equal((await lastRecords(shop)).length, 1)
})

void t.test('what does not finish in time is cut off and logged', async (t) => {
  const { origin, held } = await startHeldOrigin(t)
  const outside = await startRawOrigin({})
  t.teardown(() => outside.close())
  const shop = await writeShop(t, {
    backendPort: origin.port,
    outsidePorts: [outside.port],
    settings: { timeouts: { drainMs: 300 } },
  })
  const instance = await startChild(t, shop)
  const client = await connectRaw({ port: instance.port('public') })
  client.send('GET /held HTTP/1.1\r\nhost: orders.test\r\n\r\n')
  const tunnel = await connectRaw({ port: instance.port('egress') })
  const authority = `api.outside.test:${outside.port}`
  tunnel.send(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`)
  await tunnel.until('\r\n\r\n')
  await eventually(
    () => held.length,
    (count) => count === 1,
  )
  instance.child.kill('SIGTERM')
  t.equal(await instance.exited, 0)
  await client.rest()
  await tunnel.rest()
  const ends = (await lastRecords(shop)).map(({ properties }) => properties.closeReason)
  t.equal(ends.filter((reason) => reason === 'drain-timeout').length, 2)
  t.match(instance.stderr(), /cut off/)
})

void t.test('a signal while it starts is obeyed when it has started', async (t) => {
  const { origin } = await startHeldOrigin(t)
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = spawnRingfence(t, ['run', '--config', shop.configFile])
  // The access log is opened before anything listens, and after the handlers are there.
  await eventually(
    () => stat(shop.auditFile).catch(() => undefined),
    (stats) => stats !== undefined,
  )
  instance.child.kill('SIGTERM')
  t.equal(await instance.exited, 0)
  t.match(instance.stderr(), /^ready in [^]*^SIGTERM: [^]*^stopped$/m)
})

void t.test('a second signal does not wait', async (t) => {
  const { origin, held } = await startHeldOrigin(t)
  const shop = await writeShop(t, {
    backendPort: origin.port,
    settings: { timeouts: { drainMs: 60_000 } },
  })
  const instance = await startChild(t, shop)
  const inFlight = ask({
    port: instance.port('public'),
    path: '/held',
    headers: { host: 'orders.test' },
  })
  const lost = inFlight.then(
    () => false,
    () => true,
  )
  await eventually(
    () => held.length,
    (count) => count === 1,
  )
  instance.child.kill('SIGINT')
  await instance.says(/^SIGINT: /m)
  instance.child.kill('SIGINT')
  t.equal(await instance.exited, 1)
  t.ok(await lost)
})

void t.test('a rule that is withdrawn while it drains ends what is left', async (t) => {
  const { origin } = await startHeldOrigin(t)
  const outside = await startRawOrigin({})
  t.teardown(() => outside.close())
  const shop = await writeShop(t, {
    backendPort: origin.port,
    outsidePorts: [outside.port],
    settings: { timeouts: { drainMs: 60_000 } },
  })
  const instance = await startChild(t, shop)
  const tunnel = await connectRaw({ port: instance.port('egress') })
  const authority = `api.outside.test:${outside.port}`
  tunnel.send(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`)
  await tunnel.until('\r\n\r\n')
  instance.child.kill('SIGTERM')
  await instance.says(/^SIGTERM: /m)
  await shop.setRules({ outside: [] })
  await tunnel.rest()
  t.equal(await instance.exited, 0)
  const reasons = (await lastRecords(shop)).map(({ properties }) => properties.closeReason)
  t.ok(reasons.includes('policy-revoked'))
})
