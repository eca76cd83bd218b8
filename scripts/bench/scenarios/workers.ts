import { readdirSync, readFileSync } from 'node:fs'
import { startBackEnd } from '../back-end.ts'
import { type Bench, newFolder, type Scenario } from '../bench.ts'
import { freePort } from '../free-port.ts'
import type { Place } from '../candidates/candidate.ts'
import type { Figure } from '../figure.ts'
import type { KeepAliveOrder } from '../load/keep-alive.ts'
import type { LoadResult } from '../load-result.ts'
import { parseStat } from '../process-tree.ts'
import { type Contestant, runRounds } from '../run-rounds.ts'
import { requestOf } from './requests.ts'
import { runLoad } from './run-load.ts'

/** Two worker threads against one: what a request costs then, and how evenly connections spread. */

const connections = 256
const scenario = 'workers'
/** On fewer cores, load and back end take what a second worker would use. */
const coresForThroughput = 4

export const workers: Scenario = {
  name: scenario,
  title: `reverse proxy with two workers against one: GET of 1 KiB over ${connections} kept connections`,
  async run(bench) {
    const backEnd = await startBackEnd(bench)
    const one = await startContestant(bench, { workers: 1, target: backEnd.port })
    const two = await startContestant(bench, { workers: 2, target: backEnd.port })
    const contestants = [one, two].map(({ contestant }) => contestant)
    const before = threadTicks(two.pid)
    const [single, double] = await runRounds(bench, {
      scenario,
      unit: 'µs/request',
      contestants,
      cores: proxyCores(bench),
    })
    const share = busierShare(before, threadTicks(two.pid))
    if (single === undefined || double === undefined) return []
    const spread: Figure = { ...double, cost: share, unit: '% on the busier' }
    return [single, double, spread, ...throughput(bench, single, double)]
  },
}

/** Two, and not the load's if there are enough. */
function proxyCores({ cores }: Bench): readonly number[] {
  return cores.all.slice(-2)
}

async function startContestant(
  bench: Bench,
  options: { readonly workers: number; readonly target: number },
) {
  const { certificate, children, subject } = bench
  const place: Place = {
    purpose: 'reverse',
    folder: newFolder(bench, subject.name),
    core: proxyCores(bench),
    port: await freePort(),
    target: options.target,
    certificate,
    children,
  }
  const settings = { workers: options.workers }
  const service = await subject.startWith(place, { settings })
  const head = requestOf(subject, place)
  const order: Omit<KeepAliveOrder, 'seconds'> = { port: place.port, head, connections, tls: false }
  const contestant: Contestant = {
    name: options.workers === 1 ? `${subject.name}-1-worker` : subject.name,
    pid: service.pid,
    load: (seconds) =>
      runLoad<LoadResult>(bench, { program: 'keep-alive', order: { ...order, seconds } }),
  }
  return { pid: service.pid, contestant }
}

/** CPU ticks of each thread so far. */
function threadTicks(pid: number): ReadonlyMap<string, number> {
  const folder = `/proc/${pid}/task`
  return new Map(
    readdirSync(folder).map((thread) => {
      const { ticks } = parseStat(readFileSync(`${folder}/${thread}/stat`, 'utf8'))
      return [thread, ticks]
    }),
  )
}

/** Of the work of the two busiest threads, the part of the busier, in percent. */
function busierShare(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): number {
  const [first = 0, second = 0] = [...after]
    .map(([thread, ticks]) => ticks - (before.get(thread) ?? 0))
    .toSorted((a, b) => b - a)
  return (100 * first) / (first + second)
}

function throughput(bench: Bench, single: Figure, double: Figure): readonly Figure[] {
  if (bench.cores.all.length < coresForThroughput) {
    bench.progress(`workers: throughput needs ${coresForThroughput} cores; not measured here`)
    return []
  }
  // The same number of requests in less time: less is better, as everywhere.
  const cost = (100 * (single.perSecond ?? NaN)) / (double.perSecond ?? NaN)
  return [{ ...double, cost, unit: '% of the time of one' }]
}
