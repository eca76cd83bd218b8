import t from 'tap'
import { drawChart } from '../../../scripts/bench/chart.ts'
import type { Figure } from '../../../scripts/bench/figure.ts'

const rest: Omit<Figure, 'scenario' | 'candidate' | 'cost'> = {
  unit: 'µs/request',
  residentMiB: 1,
  spread: 0,
  runs: 1,
  disturbed: 0,
}

void t.test(
  'drawChart: a group for each scenario that was run, the cheapest first, ours marked',
  async (t) => {
    const figures: readonly Figure[] = [
      { scenario: 'reverse', candidate: 'squid', cost: 100, ...rest },
      { scenario: 'reverse', candidate: 'ringfence', cost: 25, ...rest },
    ]
    const scenarios = new Map([
      ['reverse', 'requests & <answers>'],
      ['connect', 'tunnels'],
    ])
    const chart = drawChart(figures, { title: 'cost', notes: ['a machine'], scenarios })
    t.match(chart, 'requests &amp; &lt;answers>')
    t.match(chart, '>a machine<')
    t.notMatch(chart, 'tunnels')
    t.ok(chart.indexOf('>ringfence<') < chart.indexOf('>squid<'))
    const widths = [...chart.matchAll(/<rect class="(\w+)" [^>]*width="(\d+)"/g)]
    t.strictSame(
      widths.map(([, kind]) => kind),
      ['subject', 'peer'],
    )
    const [ours = 0, theirs = 0] = widths.map(([, , width]) => Number(width))
    t.ok(Math.abs(ours * 4 - theirs) <= 4, 'lengths are in proportion')
  },
)

void t.test('drawChart: what has another unit has another scale', async (t) => {
  const figures: readonly Figure[] = [
    { scenario: 'rest', candidate: 'nginx', cost: 15, ...rest },
    { scenario: 'rest', candidate: 'ringfence', cost: 3, ...rest, unit: 'MiB' },
  ]
  const chart = drawChart(figures, { title: '', notes: [], scenarios: new Map([['rest', '']]) })
  const widths = [...chart.matchAll(/<rect [^>]*width="(\d+)"/g)].map(([, width]) => width)
  t.equal(widths[0], widths[1], 'each is the longest of its own')
})
