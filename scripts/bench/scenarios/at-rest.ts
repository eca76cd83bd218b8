import { setTimeout as delay } from 'node:timers/promises'
import { MiB } from '../../../src/units.ts'
import { startBackEnd } from '../back-end.ts'
import { type Scenario, startCandidates } from '../bench.ts'
import { type Figure, median } from '../figure.ts'
import { readTree } from '../process-tree.ts'

/** What a sidecar holds that nobody has called yet. */

const settleMs = 3_000
const smokeSettleMs = 200

export const atRest: Scenario = {
  name: 'rest',
  title: 'resident memory of a reverse proxy at rest, a moment after its start',
  async run(bench) {
    const { smoke, rounds } = bench.options
    const backEnd = await startBackEnd(bench)
    const measured = new Map<string, number[]>()
    for (let round = 1; round <= rounds; round++) {
      const setup = { purpose: 'reverse', target: backEnd.port } as const
      const started = await startCandidates(bench, setup)
      await delay(smoke ? smokeSettleMs : settleMs)
      for (const service of started) {
        const { candidate, pid } = service
        const values = measured.get(candidate.name) ?? []
        measured.set(candidate.name, [...values, readTree(pid).residentBytes / MiB])
        await service.stop()
      }
      bench.progress(`rest ${round}/${rounds}`)
    }
    return [...measured].map(([candidate, values]): Figure => {
      const cost = median(values)
      return {
        scenario: 'rest',
        candidate,
        cost,
        unit: 'MiB',
        residentMiB: cost,
        spread: (Math.max(...values) - Math.min(...values)) / cost,
        runs: values.length,
        disturbed: 0,
      }
    })
  },
}
