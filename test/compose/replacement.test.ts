import t from 'tap'
import { createReplacement } from '../../src/compose/replacement.ts'

function startClock(t: { readonly teardown: (undo: () => void) => unknown }) {
  let clock = 0
  const replaced: number[] = []
  const failures: unknown[] = []
  let waiting: (() => void) | undefined
  const replacement = createReplacement({
    replace(index) {
      replaced.push(index)
      waiting?.()
      return Promise.reject(new Error(`no ${index}`))
    },
    onFailure: (error) => failures.push(error),
    monotonicNow: () => clock,
  })
  t.teardown(() => replacement.stop())
  return {
    replacement,
    replaced,
    failures,
    advance: (ms: number) => (clock += ms),
    /** How long until the next is replaced. */
    next: async (): Promise<number> => {
      const at = performance.now()
      await new Promise<void>((resolve) => (waiting = resolve))
      return performance.now() - at
    },
  }
}

void t.test('createReplacement: at once the first time, then later and later', async (t) => {
  const { replacement, replaced, failures, next } = startClock(t)
  const waits: number[] = []
  for (let round = 0; round < 3; round++) {
    replacement.ended(1)
    waits.push(await next())
  }
  const [first = 0, second = 0, third = 0] = waits
  t.ok(first < 90, `${first} ms`)
  // Timers of Node are early by up to a millisecond.
  t.ok(second >= 99, `${second} ms`)
  t.ok(third >= 199, `${third} ms`)
  t.same(replaced, [1, 1, 1])
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(failures.length, 3, 'each failure is told')
})

void t.test(
  'createReplacement: who lived for long is replaced at once, each by itself',
  async (t) => {
    const { replacement, advance, next } = startClock(t)
    replacement.ended(0)
    await next()
    replacement.ended(1)
    t.ok((await next()) < 90, 'another one')
    advance(60_001)
    replacement.ended(0)
    t.ok((await next()) < 90, 'after a minute')
  },
)

void t.test('createReplacement: nothing is replaced once it has stopped', async (t) => {
  const { replacement, replaced } = startClock(t)
  replacement.ended(0)
  replacement.stop()
  replacement.ended(1)
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.same(replaced, [])
})
