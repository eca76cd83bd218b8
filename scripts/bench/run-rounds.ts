import type { Bench } from './bench.ts'
import { readCoreTime } from './cores.ts'
import type { LoadResult } from './load-result.ts'
import { type Figure, median } from './figure.ts'
import { readTree } from './process-tree.ts'
import { MiB } from '../../src/units.ts'

/** Candidates in turns, so that what the machine does meanwhile meets all of them, and the median of each. */

export interface Contestant {
  readonly name: string
  /** Of the process whose tree is the candidate. */
  readonly pid: number
  /** Loads it and says what that was. */
  readonly load: (seconds: number) => Promise<LoadResult>
}

interface Run {
  readonly load: LoadResult
  readonly cpuSeconds: number
  readonly residentBytes: number
  /** Share of the time in which somebody else had the proxy's core. */
  readonly disturbance: number
}

/** More than this of the proxy's core for others spoils caches and queues enough to show. */
const maxDisturbance = 0.05
/** A busy machine is not waited for for ever: the least disturbed run counts then, and is marked. */
const repeatsPerRound = 3
const microsecondsPerSecond = 1e6

export interface RoundsOptions {
  readonly scenario: string
  /** `ms`: the cost is the 99th percentile of latency. Otherwise CPU time for each unit of the load. */
  readonly unit: Figure['unit']
  readonly contestants: readonly Contestant[]
  /** Which must not be disturbed. Default: the proxy's. */
  readonly cores?: readonly number[]
}

export async function runRounds(bench: Bench, options: RoundsOptions): Promise<Figure[]> {
  const { contestants, scenario, cores = [bench.cores.proxy] } = options
  const { rounds, smoke } = bench.options
  const runs = new Map(contestants.map(({ name }): [string, Run[]] => [name, []]))
  // Code that has not run yet is compiled, connections are opened, buffers are sized: that is not what lasts.
  if (!smoke) for (const { load } of contestants) await load(warmUpSeconds)
  const repeats = { left: smoke ? 0 : repeatsPerRound * rounds }
  for (let round = 1; round <= rounds; round++) {
    for (const contestant of contestants) {
      const run = await quietRun(bench, contestant, { repeats, cores })
      runs.get(contestant.name)?.push(run)
      bench.progress(`${scenario} ${round}/${rounds} ${contestant.name} ${describe(run, options)}`)
    }
  }
  return contestants.map(({ name }) => summarise(name, runs.get(name) ?? [], options))
}

const warmUpSeconds = 1.5

function describe(run: Run, { unit }: RoundsOptions): string {
  const disturbed = `${(run.disturbance * 100).toFixed(0)} % of its core for others`
  const mark = run.disturbance > maxDisturbance ? ` (${disturbed})` : ''
  return `${costOf(run, unit).toPrecision(3)} ${unit}${mark}`
}

/** Runs again while others disturb it and the scenario has repeats left. */
async function quietRun(
  bench: Bench,
  contestant: Contestant,
  { repeats, cores }: { readonly repeats: { left: number }; readonly cores: readonly number[] },
): Promise<Run> {
  let best = await measure(bench, contestant, cores)
  while (best.disturbance > maxDisturbance && repeats.left > 0) {
    repeats.left--
    const share = `${(best.disturbance * 100).toFixed(0)} %`
    bench.progress(`${contestant.name}: disturbed, others had ${share} of its core; again`)
    const run = await measure(bench, contestant, cores)
    if (run.disturbance < best.disturbance) best = run
  }
  return best
}

async function measure(
  { options }: Bench,
  { pid, load }: Contestant,
  cores: readonly number[],
): Promise<Run> {
  // Where the load runs, too, it is no stranger: then all that this process has started counts as ours.
  const ours = cores.length > 1 ? process.pid : pid
  const coresBefore = timeOf(cores)
  const oursBefore = readTree(ours).cpuSeconds
  const before = readTree(pid)
  const start = performance.now()
  const result = await load(options.seconds)
  const seconds = (performance.now() - start) / 1000
  const after = readTree(pid)
  const ourSeconds = readTree(ours).cpuSeconds - oursBefore
  return {
    load: result,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    residentBytes: after.residentBytes,
    disturbance: Math.max(0, timeOf(cores) - coresBefore - ourSeconds) / seconds / cores.length,
  }
}

/** Seconds that nobody else could have had of these cores. */
function timeOf(cores: readonly number[]): number {
  return cores.reduce((sum, core) => {
    const { busySeconds, stolenSeconds } = readCoreTime(core)
    return sum + busySeconds + stolenSeconds
  }, 0)
}

function costOf({ cpuSeconds, load }: Run, unit: Figure['unit']): number {
  if (unit === 'ms') return load.p99Ms ?? NaN
  return (cpuSeconds / load.units) * (unit.startsWith('µs') ? microsecondsPerSecond : 1)
}

function summarise(candidate: string, runs: readonly Run[], options: RoundsOptions): Figure {
  const { scenario, unit } = options
  const costs = runs.map((run) => costOf(run, unit))
  const cost = median(costs)
  return {
    scenario,
    candidate,
    cost,
    unit,
    perSecond: median(runs.map(({ load }) => load.units / load.seconds)),
    ...latencies(runs),
    residentMiB: (runs.at(-1)?.residentBytes ?? NaN) / MiB,
    spread: (Math.max(...costs) - Math.min(...costs)) / cost,
    runs: runs.length,
    disturbed: runs.filter(({ disturbance }) => disturbance > maxDisturbance).length,
  }
}

/** Bulk transfers have none. */
function latencies(runs: readonly Run[]): Pick<Figure, 'p50Ms' | 'p99Ms'> {
  const p50s = runs.flatMap(({ load }) => load.p50Ms ?? [])
  const p99s = runs.flatMap(({ load }) => load.p99Ms ?? [])
  return p50s.length === 0 ? {} : { p50Ms: median(p50s), p99Ms: median(p99s) }
}
