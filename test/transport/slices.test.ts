import t from 'tap'
import { monotonicNow, runInSlices, type Step } from '../../src/transport/slices.ts'

void t.test('runInSlices', async (t) => {
  await t.test('takes steps until one says done', async (t) => {
    const steps: Step[] = ['cheap', 'dear', 'cheap', 'done', 'cheap']
    await runInSlices(() => steps.shift() ?? 'done')
    t.same(steps, ['cheap'])
  })

  await t.test('gives the loop its turn when the time of a slice is over', async (t) => {
    let clock = 0
    let turns = 0
    let left = 10
    await runInSlices(
      () => {
        clock += 1
        return left-- > 0 ? 'cheap' : 'done'
      },
      { sliceMs: 2, now: () => clock, yieldToLoop: async () => turns++ },
    )
    t.equal(turns, 5)
  })

  await t.test('and after so many dear steps, however fast they were', async (t) => {
    let turns = 0
    let left = 10
    await runInSlices(() => (left-- > 0 ? 'dear' : 'done'), {
      dearSteps: 3,
      now: () => 0,
      yieldToLoop: async () => turns++,
    })
    t.equal(turns, 3)
  })

  await t.test('lets timers and sockets through by default', async (t) => {
    let wentOff = false
    setTimeout(() => {
      wentOff = true
    })
    const until = monotonicNow() + 5000
    await runInSlices(() => (wentOff || monotonicNow() > until ? 'done' : 'cheap'))
    t.equal(wentOff, true)
  })
})
