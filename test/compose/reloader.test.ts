import t from 'tap'
import type { ReloadOutcome } from '../../src/admin/admin-socket.ts'
import { createReloader } from '../../src/compose/reloader.ts'

interface Run {
  readonly triggers: readonly string[]
  readonly finish: () => void
}

function gatedReloader() {
  const runs: Run[] = []
  let active = 0
  let mostActive = 0
  const reloader = createReloader((triggers) => {
    active++
    mostActive = Math.max(mostActive, active)
    const { promise, resolve } = Promise.withResolvers<ReloadOutcome>()
    const number = runs.length + 1
    runs.push({
      triggers,
      finish: () => {
        active--
        resolve({ kind: 'failed', version: String(number), problems: [] })
      },
    })
    return promise
  })
  return { reloader, runs, mostActive: () => mostActive }
}

void t.test('createReloader runs at once when nothing runs', async (t) => {
  const { reloader, runs } = gatedReloader()
  const outcome = reloader.reload('file')
  t.equal(runs.length, 1)
  runs[0]?.finish()
  t.match(await outcome, { version: '1' })
})

void t.test('createReloader lets all who ask meanwhile share one more run', async (t) => {
  const { reloader, runs, mostActive } = gatedReloader()
  const first = reloader.reload('file')
  const others = ['signal', 'admin', 'file'].map((trigger) => reloader.reload(trigger))
  t.equal(runs.length, 1)
  runs[0]?.finish()
  t.match(await first, { version: '1' })
  const late = reloader.reload('late')
  runs[1]?.finish()
  for (const outcome of await Promise.all(others)) t.match(outcome, { version: '2' })
  t.strictSame(runs[1]?.triggers, ['signal', 'admin', 'file'])
  runs[2]?.finish()
  await late
  await reloader.settled()
  t.equal(mostActive(), 1, 'never two at once')
})

void t.test('createReloader: one that rejects is no end of all reloads', async (t) => {
  let count = 0
  const reloader = createReloader(() => {
    count++
    return count === 1
      ? Promise.reject(new Error('a bug'))
      : Promise.resolve({ kind: 'failed', version: String(count), problems: [] })
  })
  const [first, second] = [reloader.reload('one'), reloader.reload('two')]
  await t.rejects(first, /a bug/)
  t.match(await second, { version: '2' })
  t.match(await reloader.reload('three'), { version: '3' })
  await reloader.settled()
})
