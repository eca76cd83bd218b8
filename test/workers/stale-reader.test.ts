import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { beginArena, createArenaBuffer } from '../../src/policy/arena.ts'
import { compileNamed } from './named-policy.ts'
import type { StaleReport } from './stale-reader-thread.ts'

const rounds = 40

void t.test(
  'a reader that did not leave is never answered from what is being written',
  async (t) => {
    const worker = new Worker(new URL('stale-reader-thread.ts', import.meta.url))
    t.teardown(() => worker.terminate())
    const buffer = createArenaBuffer()
    let epoch = 0
    const fill = () => {
      const name = `policy-${++epoch}`
      const arena = beginArena(buffer, epoch)
      const compiled = compileNamed(name, arena)
      arena.finish()
      return { name, compiled }
    }
    let right = 0
    let gone = 0
    for (let round = 0; round < rounds; round++) {
      const reading = once(worker, 'message')
      worker.postMessage(fill())
      await reading
      const reported = once(worker, 'message')
      // No protocol keeps the two apart here: what holds is only that each look-up asks whether its tables are there.
      fill()
      const [report] = (await reported) as [StaleReport]
      t.strictSame(report.wrong, [])
      right += report.right
      gone += report.gone
    }
    t.comment(`${right} right, ${gone} gone`)
    t.ok(right > rounds, 'it read while they were there')
    t.ok(gone > rounds, 'and after')
  },
)
