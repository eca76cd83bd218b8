import t from 'tap'
import { standingOf } from '../../../scripts/bench/bars.ts'
import { type Figure, median } from '../../../scripts/bench/figure.ts'
import { formatTable } from '../../../scripts/bench/table.ts'

function figure(candidate: string, cost: number): Figure {
  return {
    scenario: 'reverse',
    candidate,
    cost,
    unit: 'µs/request',
    perSecond: 10_000,
    p50Ms: 1,
    residentMiB: 100,
    spread: 0.1,
    runs: 3,
    disturbed: 0,
  }
}

void t.test('median: the middle, or between the two in the middle', async (t) => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 2, 3]), 2.5)
  t.ok(Number.isNaN(median([])))
})

void t.test(
  'standingOf: Ringfence as a multiple of each peer, against the bar if there is one',
  async (t) => {
    const figures = [figure('nginx', 20), figure('haproxy', 18), figure('http-proxy', 90)]
    figures.push(figure('ringfence', 27))
    const standings = figures.map((one) => standingOf(one, figures))
    t.match(standings[0], { ratio: 1.35, holds: true })
    t.match(standings[1], { ratio: 1.5, holds: false })
    t.match(standings[2], { ratio: 0.3, bar: undefined, holds: undefined })
    t.match(standings[3], { ratio: undefined, holds: undefined })
  },
)

void t.test('standingOf: without Ringfence nothing is said', async (t) => {
  const nginx = figure('nginx', 20)
  t.match(standingOf(nginx, [nginx]), { ratio: undefined, bar: undefined, holds: undefined })
})

void t.test('formatTable: one line for each, aligned, with the verdict', async (t) => {
  const figures = [figure('nginx', 20), { ...figure('ringfence', 30), disturbed: 2 }]
  t.strictSame(formatTable(figures, { judge: true }), [
    'candidate                         cost    ±  per s  p50 ms  p99 ms  RSS MiB  ringfence is      bar',
    'nginx                    20 µs/request  5 %  10000       1              100        1.50 ×  ≤ 1.4 ×  MISSES',
    'ringfence (2 disturbed)  30 µs/request  5 %  10000       1              100',
  ])
})

void t.test('formatTable: what is not to be judged is not', async (t) => {
  const figures = [figure('nginx', 20), figure('ringfence', 30)]
  t.notMatch(formatTable(figures, { judge: false }).join('\n'), /×|MISSES/)
})
