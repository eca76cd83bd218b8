import { once } from 'node:events'
import t from 'tap'
import { closeGently } from '../../src/transport/close-gently.ts'
import { pairOfSockets } from './sockets.ts'

void t.test('closeGently: bytes that nobody reads do not turn the end into a reset', async (t) => {
  const { near, far } = await pairOfSockets()
  far.pause()
  // Once they are written they lie in the kernel, where a close would find them.
  await new Promise((resolve) => near.write('x'.repeat(100_000), resolve))
  closeGently(far)
  near.resume()
  await once(near, 'end')
  near.write('and more')
  near.end()
  await once(far, 'close')
  t.equal(far.errored, null)
  t.equal(near.errored, null)
  near.destroy()
})

void t.test('closeGently: who never ends is cut off after a while', async (t) => {
  const { near, far } = await pairOfSockets()
  const startedAt = performance.now()
  near.resume()
  closeGently(far)
  await once(far, 'close')
  const lastedMs = performance.now() - startedAt
  t.ok(lastedMs > 3000 && lastedMs < 8000, `${Math.round(lastedMs)} ms`)
  near.destroy()
})

void t.test('closeGently: what is gone already stays gone', async (t) => {
  const { near, far } = await pairOfSockets()
  far.destroy()
  await once(far, 'close')
  closeGently(far)
  t.equal(far.destroyed, true)
  near.destroy()
})
