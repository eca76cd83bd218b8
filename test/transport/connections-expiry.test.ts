import t from 'tap'
import {
  createOpenConnections,
  type Judged,
  type OpenEntry,
} from '../../src/transport/connections.ts'
import type { Deadlines } from '../../src/transport/deadlines.ts'

const never = Number.POSITIVE_INFINITY

void t.test(
  'what expires is judged again then, and ends unless it is allowed otherwise',
  async (t) => {
    const { open, pass, watched } = clocked()
    const ends = entry({ expiresAt: 1000, allowed: [false] })
    const stays = entry({ expiresAt: 1000, allowed: [true], next: [never] })
    open.register(ends, ends)
    open.register(stays, stays)
    pass(999)
    t.same([ends.judged, stays.judged], [0, 0], 'not early')
    pass(1)
    t.same([ends.judged, ends.revoked], [1, 1])
    t.same([stays.judged, stays.revoked], [1, 0])
    t.equal(open.size, 1)
    t.equal(watched(), 0, 'nobody waits for what does not expire any more')
  },
)

void t.test('what was over already when it is registered is judged first', async (t) => {
  const { open, pass } = clocked(5000)
  const late = entry({ expiresAt: 1000, allowed: [false] })
  t.equal(open.register(late, late), false)
  t.same([late.judged, late.revoked, open.size], [1, 0, 0])
  const allowed = entry({ expiresAt: 5000, allowed: [true], next: [never] })
  t.equal(open.register(allowed, allowed), true)
  pass(1)
  t.same([allowed.judged, allowed.revoked], [1, 0])
})

void t.test('what is allowed by newer evidence is judged when that expires', async (t) => {
  const { open, pass, watched } = clocked()
  const one = entry({ expiresAt: 1000, allowed: [true, false], next: [3000] })
  open.register(one, one)
  pass(1000)
  t.equal(one.revoked, 0)
  pass(1999)
  t.equal(one.revoked, 0)
  pass(1)
  t.equal(one.revoked, 1)
  t.equal(watched(), 0)
})

void t.test('a swap that judges it anew says when it expires from then on', async (t) => {
  const { open, pass, watched, swap } = clocked()
  const sooner = entry({ expiresAt: 9000, allowed: [true, false], next: [2000] })
  const endless = entry({ expiresAt: 9000, allowed: [true], next: [never] })
  const same = entry({ expiresAt: 9000, allowed: [true], next: [9000] })
  for (const one of [sooner, endless, same]) open.register(one, one)
  await swap()
  t.equal(watched(), 2)
  pass(2000)
  t.same([sooner.revoked, endless.revoked, same.revoked], [1, 0, 0])
  t.equal(watched(), 1)
  t.same([endless.judged, same.judged], [1, 1])
})

void t.test(
  'one entry for many requests: the evidence of each of them counts in its turn',
  async (t) => {
    const { open, pass, watched } = clocked()
    const one = entry({ expiresAt: 1000, allowed: [false] })
    open.register(one, one)
    one.expiresAt = 1000
    open.register(one, one)
    t.equal(watched(), 1, 'the same evidence is not watched twice')
    one.expiresAt = 4000
    open.register(one, one)
    t.equal(watched(), 1)
    pass(1000)
    t.equal(one.judged, 0)
    one.expiresAt = never
    open.register(one, one)
    t.equal(watched(), 0, 'evidence of an earlier one is nothing to what does not expire')
    one.expiresAt = 4000
    open.register(one, one)
    pass(3000)
    t.equal(one.revoked, 1)
  },
)

void t.test('what ends by itself, or by a swap, is not waited for', async (t) => {
  const { open, pass, watched, swap } = clocked()
  const gone = entry({ expiresAt: 1000 })
  const forbidden = entry({ expiresAt: 1000, allowed: [false] })
  open.register(gone, gone)
  open.unregister(gone)
  open.register(forbidden, forbidden)
  await swap()
  t.equal(watched(), 0)
  pass(1000)
  t.same([gone.judged, forbidden.revoked], [0, 1])
})

void t.test('what never expires is no deadline', async (t) => {
  const { open, watched } = clocked()
  const endless = entry({ expiresAt: never })
  open.register(endless, endless)
  t.equal(watched(), 0)
})

void t.test('a clock that was set back: it is waited for once more', async (t) => {
  const { open, pass, setBack } = clocked()
  const one = entry({ expiresAt: 1000, allowed: [true, false], next: [1000] })
  open.register(one, one)
  setBack(500)
  pass(1000)
  t.same([one.judged, one.revoked], [1, 0])
  pass(500)
  t.equal(one.revoked, 1)
})

/** A registry whose deadlines and wall clock go by hand, the one with the other unless it is set back. */
function clocked(wall = 0) {
  let now = 0
  let version = 1
  const watching = new Set<{ readonly at: number; readonly onExpire: () => void }>()
  const deadlines: Deadlines = {
    watch(times) {
      const one = { at: now + times.lifetimeMs, onExpire: () => times.onExpire('lifetime') }
      watching.add(one)
      return { touch: () => {}, cancel: () => watching.delete(one) }
    },
  }
  const open = createOpenConnections({
    version: () => String(version),
    wallClock: () => wall,
    deadlines,
  })
  return {
    open,
    watched: () => watching.size,
    setBack: (ms: number) => (wall -= ms),
    swap: () => open.judgeAgain(String(++version)),
    pass: (ms: number): void => {
      now += ms
      wall += ms
      for (const one of [...watching].filter(({ at }) => at <= now)) {
        watching.delete(one)
        one.onExpire()
      }
    },
  }
}

interface Given {
  readonly expiresAt: number
  /** What its judgements say, one after the other. */
  readonly allowed?: readonly boolean[]
  /** When it expires after each of them. */
  readonly next?: readonly number[]
}

function entry({ expiresAt, allowed = [], next = [] }: Given) {
  const made: OpenEntry & Judged & { judged: number; revoked: number } = {
    version: '1',
    expiresAt,
    standsFor: undefined,
    judged: 0,
    revoked: 0,
    judge() {
      made.expiresAt = next[made.judged] ?? made.expiresAt
      return allowed[made.judged++] ?? false
    },
    revoke: () => made.revoked++,
  }
  return made
}
