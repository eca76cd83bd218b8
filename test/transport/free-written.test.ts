import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import t from 'tap'
import { freeWritten } from '../../src/transport/free-written.ts'
import { KiB, MiB } from '../../src/units.ts'
import { pairOfSockets, pairOverTls } from './sockets.ts'

void t.test('freeWritten', async (t) => {
  await t.test('frees what the kernel has taken, and that arrives', async (t) => {
    const { near, far } = await pairOfSockets()
    const bytes = Buffer.allocUnsafeSlow(64 * KiB).fill('x')
    near.write(bytes)
    freeWritten(bytes, near)
    t.equal(bytes.length, 0)
    near.end()
    const received = (await far.toArray()) as Buffer[]
    t.equal(Buffer.concat(received).toString(), 'x'.repeat(64 * KiB))
    near.destroy()
  })

  await t.test('not what waits to be written', async (t) => {
    const { near, far } = await pairOfSockets()
    far.pause()
    const bytes = Buffer.allocUnsafeSlow(32 * MiB).fill('x')
    near.write(bytes)
    freeWritten(bytes, near)
    t.equal(bytes.length, 32 * MiB)
    near.destroy()
    far.destroy()
  })

  await t.test('not what is small', async (t) => {
    const { near, far } = await pairOfSockets()
    const bytes = Buffer.allocUnsafeSlow(KiB)
    near.write(bytes)
    freeWritten(bytes, near)
    t.equal(bytes.length, KiB)
    near.destroy()
    far.destroy()
  })

  await t.test('not what others have a part of', async (t) => {
    const { near, far } = await pairOfSockets()
    const bytes = Buffer.allocUnsafeSlow(64 * KiB).subarray(1)
    near.write(bytes)
    freeWritten(bytes, near)
    t.equal(bytes.length, 64 * KiB - 1)
    near.destroy()
    far.destroy()
  })

  await t.test('not what a stream passes on as it is', async (t) => {
    const [near, far] = duplexPair()
    far.resume()
    const passed = once(far, 'data') as Promise<[Buffer]>
    const bytes = Buffer.allocUnsafeSlow(64 * KiB)
    near.write(bytes)
    await passed
    freeWritten(bytes, near)
    t.equal(bytes.length, 64 * KiB)
  })

  await t.test('not under TLS, which has its own buffers', async (t) => {
    const { near, far } = await pairOverTls()
    far.resume()
    const bytes = Buffer.allocUnsafeSlow(64 * KiB)
    await new Promise((resolve) => near.write(bytes, resolve))
    freeWritten(bytes, near)
    t.equal(bytes.length, 64 * KiB)
    near.destroy()
    far.destroy()
  })
})
