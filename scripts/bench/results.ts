import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { standingOf } from './bars.ts'
import type { Bench } from './bench.ts'
import { drawChart } from './chart.ts'
import type { Figure } from './figure.ts'

/** What a run leaves behind: `latest.json` for programs, and `latest.svg`, drawn from it, for people. */

export interface Results {
  readonly machine: Machine
  /** Of Ringfence and its peers. */
  readonly versions: Readonly<Record<string, string>>
  readonly scenarios: readonly ScenarioResult[]
}

interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  readonly node: string
}

export interface ScenarioResult {
  readonly name: string
  readonly title: string
  readonly measuredAt: string
  readonly seconds: number
  readonly rounds: number
  readonly figures: readonly JudgedFigure[]
}

interface JudgedFigure extends Figure {
  readonly ringfenceIs: number | undefined
  readonly atMost: number | undefined
  readonly holds: boolean | undefined
}

/** Puts what was measured in the place of what the folder has of this scenario; others stay, from the same machine. */
export function writeResults(
  folder: string,
  parts: {
    readonly bench: Bench
    readonly versions: ReadonlyMap<string, string>
    readonly measured: ScenarioResult
    /** Names, in the order in which they are shown. */
    readonly order: readonly string[]
  },
): void {
  const { bench, versions, measured, order } = parts
  const file = path.join(folder, 'latest.json')
  const machine = describeMachine(bench.cores.all.length)
  const earlier = readResults(file)
  const kept = isDeepStrictEqual(earlier?.machine, machine) ? earlier : undefined
  const all = [measured, ...(kept?.scenarios ?? [])]
  const results: Results = {
    machine,
    versions: { ...kept?.versions, ...Object.fromEntries(versions) },
    scenarios: order.flatMap((name) => all.find((one) => one.name === name) ?? []),
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`)
  // Drawn from what was written: then the one can be held against the other.
  const written = readResults(file)
  if (written !== undefined) writeFileSync(path.join(folder, 'latest.svg'), drawResults(written))
}

/** What a file of this name holds, if there is one. */
export function readResults(file: string): Results | undefined {
  if (!existsSync(file)) return undefined
  const results: Results = JSON.parse(readFileSync(file, 'utf8'))
  return results
}

/** The figures of one scenario with where Ringfence stands. */
export function judge(
  scenario: Omit<ScenarioResult, 'figures'>,
  figures: readonly Figure[],
): ScenarioResult {
  const judged = figures.map((figure): JudgedFigure => {
    const { ratio, bar, holds } = standingOf(figure, figures)
    return { ...figure, ringfenceIs: ratio, atMost: bar?.atMost, holds }
  })
  return { ...scenario, figures: judged }
}

/** The chart of what was measured. */
export function drawResults({ machine, versions, scenarios }: Results): string {
  const { cpu, cores, kernel, node } = machine
  const dates = scenarios.map(({ measuredAt }) => measuredAt.slice(0, 10)).toSorted()
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const half = Math.ceil(named.length / 2)
  return drawChart(
    scenarios.flatMap(({ figures }) => figures),
    {
      title: 'What it costs: shorter is better',
      notes: [
        `${dates.at(-1) ?? ''}, ${cores} cores of ${cpu}, ${kernel}, Node.js ${node}; CPU is that of the whole process tree`,
        named.slice(0, half).join(', '),
        named.slice(half).join(', '),
      ],
      scenarios: new Map(scenarios.map(({ name, title }) => [name, title])),
    },
  )
}

function describeMachine(cores: number): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores,
    kernel: `Linux ${release().split('.').slice(0, 2).join('.')}`,
    node: process.version,
  }
}
