import { setTimeout as delay } from 'node:timers/promises'
import { MiB } from '../../../src/units.ts'
import { startBackEnd } from '../back-end.ts'
import { type Bench, newFolder, type Scenario, startCandidates } from '../bench.ts'
import type { Service } from '../children.ts'
import { type Figure, median } from '../figure.ts'
import { freePort } from '../free-port.ts'
import { readTree } from '../process-tree.ts'

/** What a sidecar holds that nobody has called yet. */

const settleMs = 3_000
const smokeSettleMs = 200
const manyWorkers = 3
const scenario = 'rest'
/** Ringfence with `manyWorkers`, among the measured. */
const many = 'many workers'

export const atRest: Scenario = {
  name: scenario,
  title: 'resident memory of a reverse proxy at rest, a moment after its start',
  async run(bench) {
    const { smoke, rounds } = bench.options
    const backEnd = await startBackEnd(bench)
    const measured = new Map<string, number[]>()
    for (let round = 1; round <= rounds; round++) {
      const setup = { purpose: 'reverse', target: backEnd.port } as const
      const started = (await startCandidates(bench, setup)).map((service): [string, Service] => [
        service.candidate.name,
        service,
      ])
      started.push([many, await startManyWorkers(bench, backEnd.port)])
      await delay(smoke ? smokeSettleMs : settleMs)
      for (const [name, service] of started) {
        const values = measured.get(name) ?? []
        measured.set(name, [...values, readTree(service.pid).residentBytes / MiB])
        await service.stop()
      }
      bench.progress(`${scenario} ${round}/${rounds}`)
    }
    const extra = measured.get(many) ?? []
    measured.delete(many)
    const single = median(measured.get(bench.subject.name) ?? [])
    const further = extra.map((resident) => (resident - single) / (manyWorkers - 1))
    return [
      ...[...measured].map(([name, values]) => figureOf(name, { values, unit: 'MiB' })),
      figureOf(bench.subject.name, { values: further, unit: 'MiB for each further worker' }),
    ]
  },
}

async function startManyWorkers(bench: Bench, target: number): Promise<Service> {
  const { certificate, children, cores, subject } = bench
  const place = {
    purpose: 'reverse',
    folder: newFolder(bench, subject.name),
    core: cores.proxy,
    port: await freePort(),
    target,
    certificate,
    children,
  } as const
  return subject.startWith(place, { settings: { workers: manyWorkers } })
}

function figureOf(
  candidate: string,
  { values, unit }: { readonly values: readonly number[]; readonly unit: Figure['unit'] },
): Figure {
  const cost = median(values)
  return {
    scenario,
    candidate,
    cost,
    unit,
    residentMiB: cost,
    spread: (Math.max(...values) - Math.min(...values)) / cost,
    runs: values.length,
    disturbed: 0,
  }
}
