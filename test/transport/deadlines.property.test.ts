import { mock } from 'node:test'
import fc from 'fast-check'
import t from 'tap'
import { createDeadlines, type Deadline } from '../../src/transport/deadlines.ts'

/** Everything against a naive model that compares times: never early, never more than two ticks late, each once. */

const tickMs = 100

type Action =
  | { readonly kind: 'watch'; readonly idleMs: number; readonly lifetimeMs: number }
  | { readonly kind: 'touch' | 'cancel'; readonly which: number }
  /** The loop is busy: time passes and nobody looks. */
  | { readonly kind: 'stall'; readonly ms: number }
  /** The loop runs freely. */
  | { readonly kind: 'pass'; readonly ticks: number }

/** As it was done to one thing. */
interface Modelled {
  readonly deadline: Deadline
  readonly idleMs: number
  readonly endsAt: number
  movedAt: number
  /** The first look after it moved. */
  seenAt: number
  isOver: boolean
}

const milliseconds = fc.oneof(
  fc.integer({ min: 1, max: 2000 }),
  fc.integer({ min: 1, max: 90_000 }),
)

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    kind: fc.constant('watch' as const),
    idleMs: fc.oneof(milliseconds, fc.constant(Infinity)),
    lifetimeMs: fc.oneof(milliseconds, fc.constant(Infinity)),
  }),
  fc.record({ kind: fc.constantFrom('touch' as const, 'cancel' as const), which: fc.nat(20) }),
  fc.record({ kind: fc.constant('stall' as const), ms: fc.oneof(fc.nat(300), fc.nat(100_000)) }),
  fc.record({ kind: fc.constant('pass' as const), ticks: fc.oneof(fc.nat(30), fc.nat(600)) }),
)

void t.test('createDeadlines agrees with a model that compares times', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const actions = fc.array(action, { maxLength: 30 })
  const run = await fc.check(fc.asyncProperty(fc.nat(10_000_000), actions, follow), {
    numRuns: 200,
    interruptAfterTimeLimit: 10_000,
  })
  t.equal(fc.defaultReportMessage(run), undefined)
})

async function follow(start: number, actions: readonly Action[]): Promise<void> {
  let now = start
  const deadlines = createDeadlines({
    tickMs,
    now: () => now,
    sliceMs: Infinity,
    dearSteps: Infinity,
  })
  const all: Modelled[] = []
  const faults: string[] = []

  function watch({ idleMs, lifetimeMs }: Extract<Action, { kind: 'watch' }>): void {
    const one: Modelled = {
      deadline: deadlines.watch({ idleMs, lifetimeMs, onExpire }),
      idleMs,
      endsAt: now + lifetimeMs,
      movedAt: now,
      seenAt: Infinity,
      isOver: false,
    }
    function onExpire(which: 'idle' | 'lifetime'): void {
      if (one.isOver) faults.push('it was over')
      one.isOver = true
      const due = which === 'idle' ? one.movedAt + idleMs : one.endsAt
      if (now < due) faults.push(`${which}: ${due - now} ms early`)
    }
    all.push(one)
  }

  async function look(): Promise<void> {
    for (const one of all) one.seenAt = Math.min(one.seenAt, now)
    mock.timers.tick(tickMs)
    // The end of its pass is a promise.
    await Promise.resolve()
    for (const { isOver, seenAt, idleMs, endsAt } of all) {
      const late = now - Math.min(seenAt + idleMs, endsAt)
      if (!isOver && late >= tickMs) faults.push(`${late} ms late`)
    }
  }

  async function act(done: Action): Promise<void> {
    switch (done.kind) {
      case 'watch':
        watch(done)
        return
      case 'stall':
        now += done.ms
        return
      case 'pass':
        for (let tick = 0; tick < done.ticks; tick++) {
          now += tickMs
          await look()
        }
        return
      case 'touch':
      case 'cancel':
        change(done)
    }
  }

  function change(done: Extract<Action, { kind: 'touch' | 'cancel' }>): void {
    const one = all[done.which % all.length]
    if (one === undefined) return
    if (done.kind === 'cancel') {
      one.deadline.cancel()
      one.isOver = true
    } else {
      one.deadline.touch()
      one.movedAt = now
      one.seenAt = Infinity
    }
  }

  for (const one of actions) await act(one)
  for (const one of all) {
    one.deadline.cancel()
    one.isOver = true
  }
  // The last look stops the timer.
  await look()
  if (faults.length > 0) throw new Error(faults.join(', '))
}
