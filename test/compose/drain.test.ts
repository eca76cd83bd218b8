import t from 'tap'
import { drain, type Draining, finish } from '../../src/compose/drain.ts'

/** A proxy that notes when it is told to stop. */
function proxy(name: string, told: string[], open = 0) {
  return {
    open,
    stopAccepting() {
      told.push(name)
    },
  }
}

function drainBoth(given: {
  readonly inbound: readonly Draining[]
  readonly outbound: readonly Draining[]
  readonly timeoutMs: number
}): Promise<boolean> {
  const plane = { finish: (side: 'inbound' | 'outbound', ms: number) => finish(given[side], ms) }
  return drain(plane, given.timeoutMs)
}

void t.test('drain tells outbound only when inbound has nothing left', async (t) => {
  const told: string[] = []
  const inbound = [proxy('in', told, 1), proxy('in too', told)]
  const outbound = [proxy('out', told, 1)]
  const finished = drainBoth({ inbound, outbound, timeoutMs: 10_000 })
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.strictSame(told, ['in', 'in too'])
  for (const one of inbound) one.open = 0
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.strictSame(told, ['in', 'in too', 'out'])
  for (const one of outbound) one.open = 0
  t.equal(await finished, true)
})

void t.test('drain does not wait where nothing is open', async (t) => {
  const at = performance.now()
  t.equal(
    await drainBoth({
      inbound: [proxy('in', [])],
      outbound: [proxy('out', [])],
      timeoutMs: 10_000,
    }),
    true,
  )
  t.ok(performance.now() - at < 1000)
})

void t.test('drain gives up in time, for both sides together, and tells outbound', async (t) => {
  const told: string[] = []
  const at = performance.now()
  const finished = await drainBoth({
    inbound: [proxy('in', told, 1)],
    outbound: [proxy('out', told, 1)],
    timeoutMs: 100,
  })
  t.equal(finished, false)
  t.strictSame(told, ['in', 'out'])
  t.ok(performance.now() - at < 1000)
})
