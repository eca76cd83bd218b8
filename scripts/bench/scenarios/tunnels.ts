import type { Bench, Scenario, StartedCandidate } from '../bench.ts'
import { startCandidates } from '../bench.ts'
import type { OriginOrder } from '../load/origin.ts'
import type { TunnelTarget } from '../load/open-tunnel.ts'
import { startOrigin } from '../origin.ts'
import type { LoadResult } from '../load-result.ts'
import { type Contestant, runRounds } from '../run-rounds.ts'
import type { Figure } from '../figure.ts'
import { runLoad } from './run-load.ts'

/** Tunnels: by CONNECT, and through haproxy, which knows no CONNECT, as a forwarded port. */

const setUpConnections = 32
const bulkTunnels = 8

export const connect = createScenario({
  name: 'connect',
  title: `tunnels by CONNECT, ${setUpConnections} at a time: opened, 16 bytes there and back, closed`,
  end: 'echo',
  unit: 'µs/tunnel',
  program: 'tunnel-set-up',
  order: { connections: setUpConnections },
})

export const download = createScenario({
  name: 'download',
  title: `${bulkTunnels} tunnels, bulk download`,
  end: 'source',
  unit: 'CPU s/GB',
  program: 'bulk',
  order: { tunnels: bulkTunnels, direction: 'download' },
})

export const upload = createScenario({
  name: 'upload',
  title: `${bulkTunnels} tunnels, bulk upload`,
  end: 'sink',
  unit: 'CPU s/GB',
  program: 'bulk',
  order: { tunnels: bulkTunnels, direction: 'upload' },
})

interface TunnelSetup {
  readonly name: string
  readonly title: string
  /** What is at the other end. */
  readonly end: keyof OriginOrder
  readonly unit: Figure['unit']
  readonly program: string
  readonly order: object
}

function createScenario({ name, title, end, unit, program, order }: TunnelSetup): Scenario {
  return {
    name,
    title,
    async run(bench) {
      const origin = await startOrigin(bench)
      const target = origin.ports[end]
      const started = await startTunnelProxies(bench, target)
      const contestants = started.map((one): Contestant => {
        const tunnel = tunnelTarget(one, target)
        return {
          name: one.candidate.name,
          pid: one.pid,
          load: (seconds) =>
            runLoad<LoadResult>(bench, { program, order: { ...order, ...tunnel, seconds } }),
        }
      })
      return runRounds(bench, { scenario: name, unit, contestants })
    },
  }
}

/** Every candidate that can make tunnels to the port, in its way. */
export async function startTunnelProxies(
  bench: Bench,
  target: number,
): Promise<readonly StartedCandidate[]> {
  const forwarders = await startCandidates(bench, { purpose: 'tcp', target })
  return [...forwarders, ...(await startCandidates(bench, { purpose: 'forward', target }))]
}

export function tunnelTarget({ candidate, port }: StartedCandidate, target: number): TunnelTarget {
  const isForwarder = candidate.purposes.has('tcp')
  return { port, authority: isForwarder ? undefined : `${candidate.destination}:${target}` }
}
