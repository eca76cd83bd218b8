import t from 'tap'
import { startInProcess } from '../support/ringfence.ts'
import { writeLargeShop } from './large-shop.ts'
import { reloadUnderLoad } from './reload-under-load.ts'

/** Enough that compiling it where requests wait would stall them for longer than the bar. */
const size = 10_000
const reloads = 2
/** The bar is 10 ms on a quiet machine; one that is busy with other tests has slower caches. */
const mostWorkMs = 25

void t.test(
  'a large policy is reloaded under load: no failed request, and no long work between two',
  async (t) => {
    const { reports, answers } = await reloadUnderLoad(t, { size, reloads })
    t.strictSame([...answers.keys()], ['200'], JSON.stringify(Object.fromEntries(answers)))
    t.equal(new Set(reports.map(({ version }) => version)).size, reloads)
    for (const { kind, durationMs, workMs } of reports) {
      t.equal(kind, 'reloaded')
      t.ok(
        workMs <= mostWorkMs,
        `${workMs.toFixed(1)} ms at a time, of ${durationMs.toFixed(0)} ms`,
      )
      t.ok(durationMs > mostWorkMs * 4, 'it was a long load')
    }
  },
)

void t.test('a process that stops does not wait for the policy that it is loading', async (t) => {
  const shop = await writeLargeShop(t, { size, originPort: 1 })
  const instance = await startInProcess(t, shop)
  await shop.mark('second')
  const reloaded = instance.running.reload('test')
  t.equal(await instance.running.stop(), true)
  t.match(await reloaded, {
    kind: 'failed',
    problems: ['the load was broken off, the process stops'],
  })
})
