import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { type Phased, Phases } from '../../src/transport/phases.ts'

/** A clock that only the test moves; the timer is mocked with it. */
function clocked(t: Test): { phases: Phases; pass: (milliseconds: number) => void } {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let now = 1000
  const phases = new Phases(() => now)
  return {
    phases,
    /** In steps of 10 ms, as a thread that is not busy sees time pass. */
    pass(milliseconds) {
      for (let left = milliseconds; left > 0; left -= 10) {
        now += Math.min(10, left)
        mock.timers.tick(Math.min(10, left))
      }
    },
  }
}

/** `log` has a line for each time it was told. */
function phased(dueAt: number, onDue: (self: Phased) => void): Phased {
  const self: Phased = { dueAt, onDue: () => onDue(self) }
  return self
}

void t.test('a deadline is never early, and at most two looks late', async (t) => {
  for (const begunMs of [0, 1, 50, 99]) {
    const { phases, pass } = clocked(t)
    let due = 0
    phases.add(phased(Number.POSITIVE_INFINITY, () => t.fail('nothing is due for ever')))
    pass(begunMs)
    const one = phased(phases.in(500), (self) => {
      due++
      self.dueAt = Number.POSITIVE_INFINITY
    })
    phases.add(one)
    pass(499)
    t.equal(due, 0, `begun ${begunMs} ms behind a look`)
    pass(201)
    t.equal(due, 1)
    pass(1000)
    t.equal(due, 1, 'once, where it is set to never')
    mock.timers.reset()
  }
})

void t.test('what begins when nothing was watched for long has its whole time', async (t) => {
  let now = 0
  const phases = new Phases(() => now)
  now = 60_000
  const one = phased(phases.in(500), () => t.fail('early'))
  phases.add(one)
  now += 100
  phases.look()
  t.equal(one.dueAt, 60_650)
  phases.remove(one)
})

void t.test('a new phase is an assignment', async (t) => {
  const { phases, pass } = clocked(t)
  let due = 0
  const one = phased(phases.in(500), () => due++)
  phases.add(one)
  for (let moved = 0; moved < 20; moved++) {
    pass(400)
    one.dueAt = phases.in(500)
  }
  t.equal(due, 0)
  pass(700)
  t.ok(due > 0)
})

void t.test('what is not set anew is told again, what is removed is not', async (t) => {
  const { phases, pass } = clocked(t)
  let due = 0
  const one = phased(phases.in(100), () => due++)
  phases.add(one)
  pass(1000)
  t.ok(due > 5)
  const told = due
  phases.remove(one)
  phases.remove(one)
  pass(1000)
  t.equal(due, told)
})

void t.test('one that is told may remove itself and others', async (t) => {
  const { phases, pass } = clocked(t)
  let due = 0
  const all: Phased[] = Array.from({ length: 3 }, () =>
    phased(phases.in(100), () => {
      due++
      for (const one of all) phases.remove(one)
    }),
  )
  for (const one of all) phases.add(one)
  pass(1000)
  t.equal(due, 1)
})

void t.test('a thread that was busy is late itself, and nobody else is', async (t) => {
  let now = 0
  const phases = new Phases(() => now)
  let due = 0
  const one = phased(phases.in(500), () => due++)
  const begunMeanwhile = phased(0, () => due++)
  const never = phased(Number.POSITIVE_INFINITY, () => due++)
  for (const each of [one, begunMeanwhile, never]) phases.add(each)
  t.teardown(() => {
    for (const each of [one, begunMeanwhile, never]) phases.remove(each)
  })
  now += 10_000
  begunMeanwhile.dueAt = phases.in(500)
  phases.look()
  t.equal(due, 0, 'ten seconds in which no byte was looked at')
  for (let passed = 0; passed < 400; passed += 100) {
    now += 100
    phases.look()
  }
  t.equal(due, 0, 'it has its whole time from here on')
  for (let passed = 0; passed < 300; passed += 100) {
    now += 100
    phases.look()
  }
  t.ok(due >= 2)
  t.equal(never.dueAt, Number.POSITIVE_INFINITY)
})

void t.test('no timer runs while nothing is watched, and none keeps the process', async (t) => {
  let now = 0
  const phases = new Phases(() => now)
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const one = phased(Number.POSITIVE_INFINITY, () => {})
  const other = phased(Number.POSITIVE_INFINITY, () => {})
  phases.add(one)
  phases.add(other)
  t.equal(timers(), before, 'unreferenced timers are not among what is active')
  phases.remove(one)
  now = 60_000
  phases.remove(other)
  phases.add(one)
  t.equal(phases.now, 60_000, 'the clock is read anew')
  phases.remove(one)
})
