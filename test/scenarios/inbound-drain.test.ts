import t from 'tap'
import { connect } from 'node:net'
import type { ServerResponse } from 'node:http'
import { minutes } from '../../src/units.ts'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { echoFrames, upgradeRequest } from '../support/web-socket.ts'

const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'

void t.test('draining: what is in flight is answered, then its connection ends', async (t) => {
  const held: ServerResponse[] = []
  let asked: (() => void) | undefined
  const origin = await startOrigin((request, response) => {
    if (request.url === '/idle') response.end('ok')
    else held.push(response)
    if (request.url === '/begun') response.write('be')
    asked?.()
  })
  t.teardown(() => origin.close())
  const keepAliveMs = minutes(10)
  const world = await startInbound(t, openShop(origin.url, { timeouts: { keepAliveMs } }))
  const idle = await connectRaw(world)
  idle.send(get.replace('/ ', '/idle '))
  t.equal((await idle.response()).status, 200)
  const waiting = await connectRaw(world)
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  waiting.send(get)
  await isAsked
  const begun = await connectRaw(world)
  begun.send(get.replace('/ ', '/begun '))
  await begun.until('be')
  t.equal(world.proxy.open, 2)

  world.proxy.stopAccepting()

  t.equal((await idle.rest()).text, '', 'an idle connection ends at once')
  const refused = connect(world.port, '127.0.0.1')
  const error: unknown = await new Promise((resolve) => refused.once('error', resolve))
  t.match(error, { code: 'ECONNREFUSED' })
  for (const response of held) response.end('gun')
  const response = await waiting.response()
  t.equal(response.body, 'gun')
  t.equal(response.header('connection'), 'close')
  t.equal((await waiting.rest()).text, '')
  t.match((await begun.rest()).text, /gun[\s\S]*0\r\n\r\n$/)
  await world.quiet()
  t.equal(world.proxy.open, 0)
})

void t.test('closing cuts off whatever is left and leaves no socket', async (t) => {
  let asked: (() => void) | undefined
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const origin = await startOrigin(() => asked?.(), {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const socket = await connectRaw(world)
  socket.send(upgradeRequest('orders.test'))
  t.equal((await socket.response()).status, 101)
  const waiting = await connectRaw(world)
  waiting.send(get)
  await isAsked
  await world.proxy.close()
  t.equal(world.metered(), 0)
  t.equal(world.proxy.open, 0)
  t.strictSame(
    world.records.filter(({ end }) => end !== undefined).map(({ end }) => end?.closeReason),
    ['drain-timeout', 'drain-timeout'],
  )
  t.equal(world.openConnections.size, 0)
  await world.proxy.close()
})
