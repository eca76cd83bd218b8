import t from 'tap'
import { judgeMemory } from '../../../scripts/soak/levels.ts'
import { createRandom } from '../../../scripts/soak/random.ts'

const minute = 60_000

/** So many samples that rise evenly from one level to the other. */
function rise(from: number, to: number): readonly number[] {
  return Array.from({ length: 600 }, (_, index) => from + ((to - from) * index) / 599)
}

void t.test(
  'judgeMemory: a long run ends within a fifth of where it was after a minute',
  async (t) => {
    t.strictSame(judgeMemory(rise(100, 100), 10 * minute), [])
    t.strictSame(judgeMemory(rise(100, 120), 10 * minute), [])
    t.strictSame(judgeMemory(rise(100, 150), 10 * minute), [
      'memory: 107 MiB early, 148 MiB at the end of the load',
    ])
  },
)

void t.test('judgeMemory: a short run may still find its size, and not more', async (t) => {
  t.strictSame(judgeMemory(rise(100, 150), minute), [])
  t.equal(judgeMemory(rise(100, 300), minute).length, 1)
})

void t.test('createRandom: the same seed begins the same way, another does not', async (t) => {
  const series = (seed: number): readonly number[] => Array.from({ length: 5 }, createRandom(seed))
  t.strictSame(series(1), series(1))
  t.notSame(series(1), series(2))
  t.ok(series(3).every((number) => number >= 0 && number < 1))
})
