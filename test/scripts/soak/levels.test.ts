import t from 'tap'
import { judgeMemory, judgeRest } from '../../../scripts/soak/levels.ts'
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

void t.test('judgeRest: what the load leaves, beyond what pools and caches hold', async (t) => {
  const MiB = 2 ** 20
  const before = { timers: 10, bytes: 20 * MiB }
  for (const { note, after, exchanges, want } of [
    { note: 'the same', after: before, exchanges: 10_000, want: [] },
    { note: 'less', after: { timers: 2, bytes: 10 * MiB }, exchanges: 10_000, want: [] },
    { note: 'a little more', after: { timers: 30, bytes: 20.9 * MiB }, exchanges: 0, want: [] },
    {
      note: '100 bytes an exchange may still be noise',
      after: { timers: 10, bytes: 20 * MiB + 100 * 20_000 },
      exchanges: 20_000,
      want: [],
    },
    {
      note: '300 bytes are a leak',
      after: { timers: 10, bytes: 20 * MiB + 300 * 20_000 },
      exchanges: 20_000,
      want: ['memory: 20.0 MiB at rest, 25.7 MiB after 20000 exchanges'],
    },
    {
      note: 'a timer for every hundred',
      after: { timers: 210, bytes: 20 * MiB },
      exchanges: 20_000,
      want: ['timers: 10 at rest, 210 after the load'],
    },
  ]) {
    t.strictSame(judgeRest(before, after, exchanges), want, note)
  }
})
