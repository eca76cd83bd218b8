import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import path from 'node:path'
import { standingOf } from './bars.ts'
import type { Bench, Scenario } from './bench.ts'
import { drawChart } from './chart.ts'
import type { Figure } from './figure.ts'

/** What a run leaves behind: `latest.json` for programs, `latest.svg` for people. */

export function writeResults(
  folder: string,
  parts: {
    readonly bench: Bench
    readonly versions: ReadonlyMap<string, string>
    readonly scenarios: readonly Scenario[]
    readonly figures: readonly Figure[]
  },
): void {
  const { bench, versions, scenarios, figures } = parts
  const { seconds, rounds } = bench.options
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: bench.cores.all.length,
    kernel: `Linux ${release().split('.').slice(0, 2).join('.')}`,
    node: process.version,
  }
  const judged = figures.map((figure) => {
    const { ratio, bar, holds } = standingOf(figure, figures)
    return { ...figure, ringfenceIs: ratio, atMost: bar?.atMost, holds }
  })
  const results = {
    measuredAt: new Date().toISOString(),
    machine,
    versions: Object.fromEntries(versions),
    seconds,
    rounds,
    figures: judged,
  }
  const named = [...versions].map(([name, version]) => `${name} ${version}`)
  const half = Math.ceil(named.length / 2)
  const chart = drawChart(figures, {
    title: 'What it costs: shorter is better',
    notes: [
      `${results.measuredAt.slice(0, 10)}, ${machine.cores} cores of ${machine.cpu}, ${machine.kernel}, Node.js ${machine.node}; CPU of the whole process tree; medians of ${rounds}`,
      named.slice(0, half).join(', '),
      named.slice(half).join(', '),
    ],
    scenarios: new Map(scenarios.map(({ name, title }) => [name, title])),
  })
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'latest.json'), `${JSON.stringify(results, undefined, 2)}\n`)
  writeFileSync(path.join(folder, 'latest.svg'), chart)
}
