import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import {
  createOpenConnections,
  type Judged,
  type OpenConnections,
  OpenEntry,
} from '../../src/transport/connections.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** An entry that remembers what was done with it. */
interface Watched extends OpenEntry, Judged {
  judged: number
  revoked: number
}

void t.test('register', async (t) => {
  await t.test(
    'takes an entry that the version in force decided, without judging it',
    async (t) => {
      const { open } = registry()
      const one = entry({ version: 'v1', allowed: false })
      t.equal(open.register(one, one), true)
      t.equal(open.size, 1)
      t.equal(one.judged, 0)
    },
  )

  await t.test('judges what another version decided', async (t) => {
    const { open } = registry()
    const allowed = entry({ version: 'v0' })
    const denied = entry({ version: 'v0', allowed: false })
    t.equal(open.register(allowed, allowed), true)
    t.equal(allowed.version, 'v1', 'the version that decided it last')
    t.equal(open.register(denied, denied), false)
    t.equal(open.size, 1, 'what is denied is not registered')
    t.equal(denied.revoked, 0, 'and is not revoked: its owner refuses it')
  })

  await t.test('takes a judgement that throws for a denial, and says so', async (t) => {
    const { open, faults } = registry()
    const faulty = entry({ version: 'v0', fault: 'judge' })
    t.equal(open.register(faulty, faulty), false)
    t.same(faults, ['judge'])
  })
})

void t.test('unregister: an entry that is gone is neither judged nor revoked', async (t) => {
  const { open, swapTo } = registry()
  const gone = entry({ allowed: false })
  open.register(gone, gone)
  open.unregister(gone)
  open.unregister(gone)
  t.equal(open.size, 0)
  await swapTo('v2')
  t.same([gone.judged, gone.revoked], [0, 0])
})

void t.test(
  'an entry that is gone keeps nothing alive, though somebody may still hold it',
  async (t) => {
    const { open, swapTo } = registry()
    const register = (): { entry: OpenEntry; request: WeakRef<object> } => {
      const request = { isAllowed: false, isOver: false }
      const made = new OpenEntry()
      made.version = 'v1'
      open.register(made, {
        judge: () => request.isAllowed,
        revoke: () => (request.isOver = true),
      })
      return { entry: made, request: new WeakRef(request) }
    }
    const left = register()
    open.unregister(left.entry)
    const revoked = register()
    await swapTo('v2')
    await setImmediate()
    collect()
    for (const { entry, request } of [left, revoked]) {
      t.equal(request.deref(), undefined)
      t.equal(entry.standsFor, undefined)
    }
  },
)

void t.test('an entry that is used again', async (t) => {
  await t.test('stands for what it was registered with last', async (t) => {
    const { open, swapTo } = registry()
    const slot = new OpenEntry()
    const [first, second] = [entry({ allowed: false }), entry({ allowed: false })]
    slot.version = 'v1'
    open.register(slot, first)
    open.register(slot, second)
    await swapTo('v2')
    t.same([first.revoked, second.revoked], [0, 1])
  })

  await t.test('can be revoked again after it was, or after it was refused', async (t) => {
    const { open, swapTo } = registry()
    const slot = new OpenEntry()
    for (const version of ['v1', 'v2', 'v3']) {
      slot.version = version
      const one = entry({ allowed: false })
      t.equal(open.register(slot, one), true)
      await swapTo(`v${Number(version.slice(1)) + 1}`)
      t.equal(one.revoked, 1, version)
    }
    slot.version = 'v1'
    t.equal(open.register(slot, entry({ allowed: false })), false)
    slot.version = 'v4'
    const last = entry({ allowed: false })
    t.equal(open.register(slot, last), true)
    await swapTo('v5')
    t.equal(last.revoked, 1)
  })

  await t.test('may be registered anew while what it stood for is revoked', async (t) => {
    const { open, swapTo } = registry()
    const slot = new OpenEntry()
    const next = entry({ allowed: false })
    const first = entry({
      allowed: false,
      onRevoke: () => {
        slot.version = 'v2'
        open.register(slot, next)
      },
    })
    slot.version = 'v1'
    open.register(slot, first)
    await swapTo('v2')
    t.same([first.revoked, next.revoked, open.size], [1, 0, 1])
    await swapTo('v3')
    t.same([first.revoked, next.revoked, open.size], [1, 1, 0])
  })

  await t.test('is open no more once what it stands for now is refused', async (t) => {
    const { open } = registry()
    const slot = new OpenEntry()
    slot.version = 'v1'
    open.register(slot, entry({}))
    slot.version = 'v0'
    t.equal(open.register(slot, entry({ allowed: false })), false)
    t.equal(open.size, 0)
  })
})

void t.test('judgeAgain', async (t) => {
  await t.test('revokes once what is no longer allowed, and leaves the rest', async (t) => {
    const { open, swapTo } = registry()
    const entries = many(100, (index) => ({ allowed: index % 2 === 0 }))
    for (const one of entries) open.register(one, one)
    await swapTo('v2')
    t.equal(open.size, 50)
    for (const [index, one] of entries.entries()) {
      t.same([one.judged, one.revoked], [1, index % 2], `entry ${index}`)
      if (index % 2 === 0) t.equal(one.version, 'v2')
    }
  })

  await t.test('judges everything even if the version came back to what it was', async (t) => {
    const { open, swapTo } = registry()
    const one = entry({})
    open.register(one, one)
    await swapTo('v1')
    t.equal(one.judged, 1)
  })

  await t.test('an empty registry is through at once', async (t) => {
    const { swapTo } = registry()
    await swapTo('v2')
    t.pass('resolved')
  })

  await t.test('takes faults for denials, and goes on', async (t) => {
    const { open, swapTo, faults } = registry()
    const faulty = entry({ fault: 'judge' })
    const stubborn = entry({ allowed: false, fault: 'revoke' })
    const last = entry({ allowed: false })
    for (const one of [faulty, stubborn, last]) open.register(one, one)
    await swapTo('v2')
    t.equal(faulty.revoked, 1)
    t.equal(last.revoked, 1)
    t.equal(open.size, 0)
    t.same(faults, ['judge', 'revoke'])
  })

  await t.test('something other than a boolean is no permission', async (t) => {
    const { open, swapTo } = registry()
    const odd: Watched = {
      ...entry({}),
      judge: () => Object('yes'),
      revoke: () => odd.revoked++,
    }
    open.register(odd, odd)
    await swapTo('v2')
    t.equal(odd.revoked, 1)
  })

  await t.test(
    'an entry may leave by itself while it is revoked, or while others are',
    async (t) => {
      const { open, swapTo } = registry()
      const second = entry({ allowed: false })
      const first = entry({
        allowed: false,
        onRevoke: () => {
          open.unregister(first)
          open.unregister(second)
        },
      })
      open.register(first, first)
      open.register(second, second)
      await swapTo('v2')
      t.same([first.revoked, second.revoked], [1, 0])
      t.equal(open.size, 0)
    },
  )

  await t.test('what is registered while it runs is under the version in force', async (t) => {
    const { open, swapTo, step } = registry({ byHand: true })
    for (const one of many(40, () => ({ allowed: false }))) open.register(one, one)
    const through = swapTo('v2')
    const late = entry({ version: 'v1', allowed: false })
    const fresh = entry({ version: 'v2', allowed: false })
    t.equal(open.register(late, late), false, 'decided before the swap')
    t.equal(open.register(fresh, fresh), true, 'decided after it')
    await step.all(through)
    t.equal(fresh.judged, 0)
    t.equal(open.size, 1)
  })
})

void t.test('judgeAgain while it runs already', async (t) => {
  await t.test('judges everything under the newest version, and skips nothing', async (t) => {
    const { open, swapTo, step } = registry({ byHand: true })
    let isTightened = false
    const entries = many(100, () => ({ judge: () => !isTightened }))
    for (const one of entries) open.register(one, one)
    const first = swapTo('v2')
    await step.once()
    isTightened = true
    const second = swapTo('v3')
    await step.all(first)
    await second
    t.equal(open.size, 0, 'those judged before the second call were judged again')
    t.ok(entries.every(({ revoked }) => revoked === 1))
  })

  await t.test('calls that follow one another faster than a pass starve nobody', async (t) => {
    const { open, swapTo, step } = registry({ byHand: true })
    const entries = many(200, (index) => ({ allowed: index !== 199 }))
    for (const one of entries) open.register(one, one)
    const calls: Promise<void>[] = []
    for (let call = 0; call < 50 && entries[199]?.revoked === 0; call++) {
      calls.push(swapTo(`v${call + 2}`))
      await step.once()
    }
    t.equal(entries[199]?.revoked, 1, 'the last one had its turn')
    await step.all(Promise.all(calls))
    t.equal(open.size, 199)
  })

  await t.test('a call after a pass starts another one', async (t) => {
    const { open, swapTo } = registry()
    const one = entry({})
    open.register(one, one)
    await swapTo('v2')
    await swapTo('v3')
    t.equal(one.judged, 2)
    t.equal(one.version, 'v3')
  })
})

void t.test('judgeAgain works in slices', async (t) => {
  await t.test('of at most 2 ms', async (t) => {
    let clock = 0
    const perSlice: number[] = []
    let judged = 0
    const open = createOpenConnections({
      version: () => 'v1',
      now: () => clock,
      yieldToLoop: async () => {
        perSlice.push(judged)
        judged = 0
      },
    })
    const entries = many(100, () => ({
      judge: () => {
        judged++
        clock += 0.25
        return true
      },
    }))
    for (const one of entries) open.register(one, one)
    await open.judgeAgain('v1')
    t.ok(perSlice.length >= 12, `${perSlice.length} slices`)
    t.ok(
      perSlice.every((count) => count === 8),
      'of 8 times 0.25 ms',
    )
  })

  await t.test('of few ends, because each has consequences after the slice', async (t) => {
    const ended: number[] = []
    let revoked = 0
    const open = createOpenConnections({
      version: () => 'v1',
      now: () => 0,
      yieldToLoop: async () => {
        ended.push(revoked)
        revoked = 0
      },
    })
    for (const one of many(100, () => ({
      allowed: false,
      onRevoke: () => revoked++,
    })))
      open.register(one, one)
    await open.judgeAgain('v1')
    t.ok(Math.max(...ended) <= 16, `at most ${Math.max(...ended)} at a time`)
    t.equal(
      ended.reduce((sum, count) => sum + count, revoked),
      100,
    )
  })
})

void t.test('unregister: costs the same however many are open', async (t) => {
  const { open } = registry()
  const entries = many(200_000, () => ({}))
  for (const one of entries) open.register(one, one)
  const started = performance.now()
  for (const one of entries.toReversed()) open.unregister(one)
  t.ok(performance.now() - started < 2000, 'far from the square')
  t.equal(open.size, 0)
})

interface Registry {
  readonly open: OpenConnections
  readonly faults: string[]
  /** Puts a version in force and judges everything again. */
  readonly swapTo: (version: string) => Promise<void>
  readonly step: { once(): Promise<void>; all(until: Promise<unknown>): Promise<void> }
}

/** With `byHand`, each slice waits for a step. */
function registry({ byHand = false } = {}): Registry {
  const faults: string[] = []
  const waiting: (() => void)[] = []
  let inForce = 'v1'
  let clock = 0
  const open = createOpenConnections({
    version: () => inForce,
    dearSteps: 8,
    ...(byHand && {
      // A look at this clock takes 0.2 ms: a slice is about ten entries.
      now: () => (clock += 0.2),
      yieldToLoop: () => new Promise<void>((resolve) => waiting.push(resolve)),
    }),
    onFault: (error) => faults.push(error instanceof Error ? error.message : 'not an error'),
  })
  const once = async (): Promise<void> => {
    waiting.shift()?.()
    await setImmediate()
  }
  return {
    open,
    faults,
    swapTo: (version) => {
      inForce = version
      return open.judgeAgain(version)
    },
    step: {
      once,
      async all(until) {
        let isThrough = false
        void until.then(() => {
          isThrough = true
        })
        while (!isThrough) await once()
      },
    },
  }
}

interface Given {
  readonly version?: string
  readonly allowed?: boolean
  readonly fault?: 'judge' | 'revoke'
  readonly judge?: () => boolean
  readonly onRevoke?: () => void
}

function entry({ version = 'v1', allowed = true, fault, judge, onRevoke }: Given): Watched {
  const made: Watched = {
    version,
    expiresAt: Number.POSITIVE_INFINITY,
    standsFor: undefined,
    judged: 0,
    revoked: 0,
    judge: () => {
      made.judged++
      if (fault === 'judge') throw new Error('judge')
      return judge?.() ?? allowed
    },
    revoke: () => {
      made.revoked++
      onRevoke?.()
      if (fault === 'revoke') throw new Error('revoke')
    },
  }
  return made
}

function many(count: number, given: (index: number) => Given): Watched[] {
  return Array.from({ length: count }, (_, index) => entry(given(index)))
}
