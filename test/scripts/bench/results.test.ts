import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { drawResults, judge, readResults } from '../../../scripts/bench/results.ts'

const kept = join(import.meta.dirname, '../../../scripts/bench/results')

void t.test(
  'results: the chart that the README shows is that of the figures beside it',
  async (t) => {
    const results = readResults(join(kept, 'latest.json'))
    if (results === undefined) return t.fail('there are no results')
    t.equal(drawResults(results), readFileSync(join(kept, 'latest.svg'), 'utf8'))
    return undefined
  },
)

void t.test('readResults: nothing where there is nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  t.equal(readResults(join(folder, 'latest.json')), undefined)
})

void t.test('judge: each figure with where Ringfence stands beside it', async (t) => {
  const figure = {
    scenario: 'reverse',
    unit: 'µs/request',
    residentMiB: 1,
    spread: 0,
    runs: 1,
    disturbed: 0,
  } as const
  const scenario = { name: 'reverse', title: 'x', measuredAt: '', seconds: 1, rounds: 1 }
  const nginx = { ...figure, candidate: 'nginx', cost: 20 }
  const ringfence = { ...figure, candidate: 'ringfence', cost: 25 }
  t.strictSame(judge(scenario, [nginx, ringfence]).figures, [
    { ...nginx, ringfenceIs: 1.25, atMost: 1.4, holds: true },
    { ...ringfence, ringfenceIs: undefined, atMost: undefined, holds: undefined },
  ])
})
