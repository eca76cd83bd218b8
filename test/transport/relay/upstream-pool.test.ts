import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { sharedPhases } from '../../../src/transport/phases.ts'
import type { Upstream, UpstreamUser } from '../../../src/transport/relay/upstream.ts'
import { UpstreamPool } from '../../../src/transport/relay/upstream-pool.ts'
import { createAuthority } from '../../support/certificates.ts'
import { listening } from '../sockets.ts'

interface Backend {
  readonly pool: UpstreamPool
  /** Connections in order of acceptance. */
  readonly accepted: readonly Socket[]
}

async function startBackend(t: Test): Promise<Backend> {
  const accepted: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    accepted.push(socket)
  })
  const port = await listening(server)
  const pool = new UpstreamPool({ address: { host: '127.0.0.1', port }, connectMs: () => 5000 })
  t.teardown(async () => {
    pool.destroy()
    for (const socket of accepted) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return { pool, accepted }
}

/** A user that does nothing; `ready` and `lost` are promises of what it is told. */
function use(upstream: Upstream, more: Partial<UpstreamUser> = {}) {
  const ready = Promise.withResolvers<void>()
  const lost = Promise.withResolvers<Error | undefined>()
  upstream.user = {
    onReady: () => ready.resolve(),
    onBytes: () => true,
    onEnd: () => {},
    onDrain: () => {},
    onLost: (error) => lost.resolve(error),
    ...more,
  }
  if (upstream.isReady) ready.resolve()
  return { ready: ready.promise, lost: lost.promise }
}

async function takeReady(pool: UpstreamPool): Promise<Upstream> {
  const upstream = pool.take()
  await use(upstream).ready
  return upstream
}

async function untilOpen(pool: UpstreamPool, count: number): Promise<void> {
  while (pool.open !== count) await new Promise((resolve) => setImmediate(resolve))
}

void t.test('the connection that was used last is used next', async (t) => {
  const { pool } = await startBackend(t)
  const one = await takeReady(pool)
  const two = await takeReady(pool)
  t.not(one, two)
  t.equal(one.isReused, false)
  pool.giveBack(one, undefined)
  pool.giveBack(two, undefined)
  t.equal(one.user, undefined)
  t.equal(pool.take(), two)
  t.equal(pool.take(), one)
  t.equal(one.isReused, true)
  t.equal(one.dueAt, Number.POSITIVE_INFINITY, 'nobody gives it up while it is used')
  t.equal(pool.open, 2)
})

void t.test('what is beyond 512 is closed after use', async (t) => {
  const { pool } = await startBackend(t)
  const all = await Promise.all(Array.from({ length: 514 }, async () => takeReady(pool)))
  for (const upstream of all) pool.giveBack(upstream, undefined)
  t.equal(all.filter(({ socket }) => socket.destroyed).length, 2)
  await untilOpen(pool, 512)
})

void t.test('a connection rests for four seconds, or a second less than the hint', async (t) => {
  const { pool } = await startBackend(t)
  const cases = [
    { hintMs: undefined, restsMs: 4000 },
    { hintMs: 60_000, restsMs: 4000 },
    { hintMs: 3000, restsMs: 2000 },
    { hintMs: 1500, restsMs: 500 },
    { hintMs: 1000, restsMs: 0 },
    { hintMs: 0, restsMs: 0 },
  ]
  for (const { hintMs, restsMs } of cases) {
    const upstream = await takeReady(pool)
    const from = sharedPhases.in(0)
    pool.giveBack(upstream, hintMs)
    t.equal(upstream.socket.destroyed, restsMs === 0, `hint ${hintMs}`)
    if (restsMs > 0) t.equal(Math.round(upstream.dueAt - from), restsMs)
    upstream.onDue()
    t.equal(upstream.socket.destroyed, true, 'then it is given up')
    await untilOpen(pool, 0)
  }
})

void t.test('one that died while it rested is never handed out', async (t) => {
  const { pool, accepted } = await startBackend(t)
  const deaths: readonly { note: string; die: (socket: Socket) => void }[] = [
    { note: 'ended', die: (socket) => socket.end() },
    { note: 'reset', die: (socket) => socket.resetAndDestroy() },
    { note: 'spoke unasked', die: (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n') },
  ]
  for (const { note, die } of deaths) {
    const upstream = await takeReady(pool)
    while (accepted.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const socket = accepted.at(-1)
    pool.giveBack(upstream, undefined)
    const { dueAt } = upstream
    if (socket !== undefined) die(socket)
    await untilOpen(pool, 0)
    t.ok(sharedPhases.in(0) < dueAt, `${note}: at once, not when its time is up`)
    const next = await takeReady(pool)
    t.not(next, upstream, note)
    next.destroy()
    await untilOpen(pool, 0)
  }
})

void t.test('one that is already gone is not taken back', async (t) => {
  const { pool } = await startBackend(t)
  const upstream = await takeReady(pool)
  upstream.socket.destroy()
  pool.giveBack(upstream, undefined)
  const next = await takeReady(pool)
  t.not(next, upstream)
})

void t.test('one that is destroyed between two looks is passed over', async (t) => {
  const { pool } = await startBackend(t)
  const one = await takeReady(pool)
  const two = await takeReady(pool)
  pool.giveBack(one, undefined)
  pool.giveBack(two, undefined)
  two.socket.destroy()
  t.equal(pool.take(), one)
})

void t.test('a second attempt is for what was reached once', async (t) => {
  const { pool } = await startBackend(t)
  const reached = await takeReady(pool)
  const again = pool.again(reached)
  if (again === 'none') throw new Error('none')
  t.not(again, reached)
  t.equal(again.isReused, false)
  const connecting = pool.fresh()
  t.equal(pool.again(connecting), 'none')
})

void t.test('who is not reached in time is told so', async (t) => {
  const { pool } = await startBackend(t)
  const upstream = pool.take()
  const { lost } = use(upstream)
  upstream.onDue()
  t.match(await lost, { message: 'connect deadline' })
})

void t.test('a user hears of bytes, of an end and of a loss, and nobody hears twice', async (t) => {
  const { pool, accepted } = await startBackend(t)
  const upstream = pool.take()
  const bytes = Promise.withResolvers<string>()
  const end = Promise.withResolvers<void>()
  const { ready, lost } = use(upstream, {
    onBytes(buffer, length) {
      bytes.resolve(buffer.toString('latin1', 0, length))
      return true
    },
    onEnd: () => end.resolve(),
  })
  await ready
  while (accepted.length === 0) await new Promise((resolve) => setImmediate(resolve))
  accepted[0]?.write('hello')
  t.equal(await bytes.promise, 'hello')
  accepted[0]?.end()
  await end.promise
  t.equal(upstream.isGone, true, 'half a connection is none for the next')
  upstream.socket.destroy()
  t.equal(await lost, undefined)
  t.equal(upstream.user, undefined)
  await untilOpen(pool, 0)
})

void t.test('a TLS session is taken up again', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { cert, key } = authority.issue('orders.test')
  const server = createTlsServer({ cert, key }, (socket) => {
    socket.on('error', () => {})
    socket.write('ticket sent')
  })
  const port = await listening(server)
  const pool = new UpstreamPool({
    address: { host: '127.0.0.1', port, tls: { servername: 'orders.test', ca: authority.ca } },
    connectMs: () => 5000,
  })
  t.teardown(async () => {
    pool.destroy()
    server.close()
    await once(server, 'close')
  })
  for (const isReused of [false, true]) {
    const upstream = pool.fresh()
    const { socket } = upstream
    const ticket = isReused ? undefined : once(socket, 'session')
    await use(upstream).ready
    await ticket
    t.equal(socket instanceof TLSSocket && socket.isSessionReused(), isReused)
    upstream.destroy()
    await untilOpen(pool, 0)
  }
})
