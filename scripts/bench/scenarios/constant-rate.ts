import { startBackEnd } from '../back-end.ts'
import { type Bench, type Scenario, startCandidates } from '../bench.ts'
import type { ConstantRateOrder } from '../load/constant-rate.ts'
import type { KeepAliveOrder } from '../load/keep-alive.ts'
import type { LoadResult } from '../load-result.ts'
import { type Contestant, runRounds } from '../run-rounds.ts'
import { requestOf } from './requests.ts'
import { runLoad } from './run-load.ts'

/** Latency as clients see it who do not wait for each other, at a rate that everybody can serve. */

const connections = 64
const names = ['nginx', 'haproxy', 'ringfence']
/** Of the slowest one's most. */
const share = 0.5
/** The load generator never sleeps: it must let the back end on its core go first. */
const niceness = 19

export const constantRate: Scenario = {
  name: 'rate',
  title:
    'reverse proxy at a constant rate, half of what the slowest serves: p99 from the intended send time',
  async run(bench) {
    const backEnd = await startBackEnd(bench)
    const setup = { purpose: 'reverse', target: backEnd.port, names } as const
    const started = await startCandidates(bench, setup)
    const targets = started.map(({ candidate, port, pid }): Target => {
      const head = requestOf(candidate, setup)
      return { name: candidate.name, pid, order: { port, head, connections } }
    })
    const rate = Math.floor(share * (await slowest(bench, targets)))
    bench.progress(`rate: ${rate} requests a second`)
    const contestants = targets.map(({ name, pid, order }): Contestant => {
      const load = (seconds: number): Promise<LoadResult> => {
        const full: ConstantRateOrder = { ...order, rate, seconds }
        return runLoad<LoadResult>(bench, { program: 'constant-rate', order: full, niceness })
      }
      return { name, pid, load }
    })
    const { proxy, load } = bench.cores
    return runRounds(bench, {
      scenario: 'rate',
      unit: 'ms',
      contestants,
      cores: [proxy, load],
    })
  },
}

interface Target {
  readonly name: string
  readonly pid: number
  readonly order: Omit<ConstantRateOrder, 'rate' | 'seconds'>
}

/** Requests a second that the slowest of them serves at most. */
async function slowest(bench: Bench, targets: readonly Target[]): Promise<number> {
  const rates: number[] = []
  for (const { order } of targets) {
    const full: KeepAliveOrder = { ...order, seconds: bench.options.seconds, tls: false }
    const { units, seconds } = await runLoad<LoadResult>(bench, {
      program: 'keep-alive',
      order: full,
    })
    rates.push(units / seconds)
  }
  return Math.min(...rates)
}
