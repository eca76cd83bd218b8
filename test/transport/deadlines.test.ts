import { mock } from 'node:test'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { createDeadlines, type Deadline, type Deadlines } from '../../src/transport/deadlines.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

void t.test('createDeadlines', async (t) => {
  await t.test('expires what is idle, not early and at most two ticks late', async (t) => {
    const { deadlines, pass } = clocked(t)
    const ends: string[] = []
    deadlines.watch({ idleMs: 1000, lifetimeMs: 60_000, onExpire: (which) => ends.push(which) })
    await pass(1000)
    t.same(ends, [])
    await pass(200)
    t.same(ends, ['idle'])
    await pass(120_000)
    t.same(ends, ['idle'], 'once')
  })

  await t.test('a touch starts the idle time anew', async (t) => {
    const { deadlines, pass } = clocked(t)
    const ends: string[] = []
    const deadline = deadlines.watch({
      idleMs: 1000,
      lifetimeMs: 60_000,
      onExpire: (which) => ends.push(which),
    })
    for (let second = 0; second < 10; second++) {
      await pass(900)
      deadline.touch()
    }
    t.same(ends, [])
    await pass(1200)
    t.same(ends, ['idle'])
  })

  await t.test('no touch prolongs the lifetime', async (t) => {
    const { deadlines, pass } = clocked(t)
    const ends: string[] = []
    const deadline = deadlines.watch({
      idleMs: 1000,
      lifetimeMs: 5000,
      onExpire: (which) => ends.push(which),
    })
    for (let moved = 0; moved < 49; moved++) {
      await pass(100)
      deadline.touch()
    }
    t.same(ends, [])
    await pass(200)
    t.same(ends, ['lifetime'])
  })

  await t.test('what is cancelled does not expire', async (t) => {
    const { deadlines, pass } = clocked(t)
    const deadline = deadlines.watch({
      idleMs: 1000,
      lifetimeMs: 5000,
      onExpire: () => t.fail('expired'),
    })
    await pass(500)
    deadline.cancel()
    deadline.cancel()
    await pass(10_000)
    t.pass('nothing happened')
  })

  await t.test('one that expires may cancel others that expire with it', async (t) => {
    const { deadlines, pass } = clocked(t)
    let expired = 0
    const all = Array.from({ length: 3 }, () =>
      deadlines.watch({
        idleMs: 1000,
        lifetimeMs: 5000,
        onExpire: () => {
          expired++
          for (const one of all) one.cancel()
        },
      }),
    )
    await pass(2000)
    t.equal(expired, 1)
  })

  await t.test('a loop that stood still for long catches up', async (t) => {
    const { deadlines, pass } = clocked(t)
    let expired = 0
    for (let idleMs = 100; idleMs <= 10_000; idleMs += 100) {
      deadlines.watch({ idleMs, lifetimeMs: 60_000, onExpire: () => expired++ })
    }
    await pass(100)
    await pass(30_000, { inOneStep: true })
    t.equal(expired, 100)
  })

  await t.test('what moved while the loop stood still has moved at the end of that', async (t) => {
    const { deadlines, pass, stall } = clocked(t)
    const ends: string[] = []
    const deadline = deadlines.watch({
      idleMs: 1000,
      lifetimeMs: 60_000,
      onExpire: (which) => ends.push(which),
    })
    await pass(500)
    stall(30_000)
    deadline.touch()
    await pass(1000)
    t.same(ends, [])
    await pass(200)
    t.same(ends, ['idle'])
  })

  await t.test('far beyond a round of the wheel', async (t) => {
    const { deadlines, pass } = clocked(t)
    const ends: string[] = []
    deadlines.watch({
      idleMs: Infinity,
      lifetimeMs: 200_000,
      onExpire: (which) => ends.push(which),
    })
    await pass(199_900)
    t.same(ends, [])
    await pass(200)
    t.same(ends, ['lifetime'])
  })

  await t.test('many that expire together do so in slices', async (t) => {
    const { deadlines, pass, slices } = clocked(t)
    let expired = 0
    for (let index = 0; index < 1000; index++) {
      deadlines.watch({ idleMs: 1000, lifetimeMs: 60_000, onExpire: () => expired++ })
    }
    await pass(1200)
    t.equal(expired, 1000)
    t.ok(slices() >= 1000 / 16 - 1, `${slices()} slices`)
  })

  await t.test('nothing watched, nothing runs', async (t) => {
    const { wheel, deadline } = watchForLong()
    await setTimeout(50)
    collect()
    t.not(wheel.deref(), undefined, 'what runs is held by its timer')
    deadline.deref()?.cancel()
    for (const until = performance.now() + 5000; performance.now() < until;) {
      await setTimeout(20)
      collect()
      if (wheel.deref() === undefined) break
    }
    t.equal(wheel.deref(), undefined)
  })

  await t.test('keeps nothing of what is over', async (t) => {
    const { deadlines, pass } = clocked(t)
    const expiring = watchWeakly(deadlines, 1000)
    const cancelled = watchWeakly(deadlines, 60_000)
    await pass(1200)
    cancelled.deadline.cancel()
    collect()
    t.equal(expiring.times.deref(), undefined)
    t.equal(cancelled.times.deref(), undefined)
  })

  await t.test('by the real clock', async (t) => {
    const deadlines = createDeadlines({ tickMs: 10 })
    const started = performance.now()
    const held = setInterval(() => t.fail('too late'), 5000)
    const which = await new Promise((resolve) => {
      deadlines.watch({ idleMs: 50, lifetimeMs: 60_000, onExpire: resolve })
    })
    clearInterval(held)
    t.equal(which, 'idle')
    t.ok(performance.now() - started >= 50)
  })
})

/** Held by nobody but itself. */
function watchForLong(): { wheel: WeakRef<Deadlines>; deadline: WeakRef<Deadline> } {
  const wheel = createDeadlines({ tickMs: 5 })
  const deadline = wheel.watch({ idleMs: 60_000, lifetimeMs: 60_000, onExpire: () => undefined })
  return { wheel: new WeakRef(wheel), deadline: new WeakRef(deadline) }
}

function watchWeakly(
  deadlines: Deadlines,
  idleMs: number,
): { deadline: Deadline; times: WeakRef<object> } {
  const times = { idleMs, lifetimeMs: 60_000, onExpire: () => undefined }
  return { deadline: deadlines.watch(times), times: new WeakRef(times) }
}

interface Clocked {
  readonly deadlines: Deadlines
  /** Lets time pass, tick by tick, or all of it between two ticks. */
  readonly pass: (ms: number, options?: { inOneStep: boolean }) => Promise<void>
  /** Lets time pass without a look. */
  readonly stall: (ms: number) => void
  readonly slices: () => number
}

function clocked(t: Test): Clocked {
  const tickMs = 100
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let now = 5_000_000
  let slices = 0
  const deadlines = createDeadlines({
    tickMs,
    now: () => now,
    yieldToLoop: async () => {
      slices++
    },
  })
  return {
    deadlines,
    slices: () => slices,
    stall: (ms) => {
      now += ms
    },
    pass: async (ms, { inOneStep } = { inOneStep: false }) => {
      const step = inOneStep ? ms : tickMs
      for (let passed = 0; passed < ms; passed += step) {
        now += step
        mock.timers.tick(tickMs)
        await setImmediate()
      }
    },
  }
}
