import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import t, { type Test } from 'tap'
import { cut } from '../../src/transport/cut.ts'

/** A connected pair over loopback. */
async function join(t: Test): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server has one
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')])
  t.teardown(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  near.on('error', () => {})
  far.on('error', () => {})
  return { near, far }
}

void t.test('cut: the peer sees a reset, never an end', async (t) => {
  const { near, far } = await join(t)
  far.resume()
  cut(near)
  const [error] = await once(far, 'error')
  t.equal(error.code, 'ECONNRESET')
  t.equal(near.destroyed, true)
})

const shutdowns = [
  { note: 'while the shutdown is under way', wait: async () => {} },
  { note: 'after the shutdown', wait: async (near: Socket) => once(near, 'finish') },
]

for (const { note, wait } of shutdowns) {
  void t.test(`cut: the handle is closed ${note}`, async (t) => {
    const { near } = await join(t)
    near.end()
    await wait(near)
    const closed = once(near, 'close')
    cut(near)
    await closed
    t.equal(near.closed, true)
  })
}

void t.test('cut: a stream that is no socket is destroyed, once', async (t) => {
  const [near] = duplexPair()
  let closed = 0
  near.on('close', () => closed++)
  cut(near)
  cut(near)
  await once(near, 'close')
  t.equal(closed, 1)
})
