import { setTimeout as delay } from 'node:timers/promises'
import { KiB } from '../../../src/units.ts'
import { type Bench, newFolder, type Scenario, type StartedCandidate } from '../bench.ts'
import { freePort } from '../free-port.ts'
import type { Figure } from '../figure.ts'
import type { IdleTunnelsOrder } from '../load/idle-tunnels.ts'
import { type Origin, startOrigin } from '../origin.ts'
import { readTree } from '../process-tree.ts'
import { startTunnelProxies, tunnelTarget } from './tunnels.ts'

/** Memory that a tunnel holds which has moved something and now moves nothing. */

const tunnels = 5_000
const smokeTunnels = 100
/** Whatever a proxy does about memory in idle moments, it has done by then. */
const settleMs = 3_000
const smokeSettleMs = 200
/** 5 GB go through. */
const fillTimeoutMs = 180_000

export const idleTunnels: Scenario = {
  name: 'idle',
  title: `${tunnels} idle tunnels after 1 MiB through each: resident memory beyond that at rest`,
  async run(bench) {
    const origin = await startOrigin(bench)
    const started = await startTunnelProxies(bench, origin.ports.once)
    const figures: Figure[] = []
    for (const proxy of started) {
      // A thread or process for each tunnel is no way to hold thousands.
      if (proxy.candidate.name !== 'tinyproxy') figures.push(await measure(bench, proxy, origin))
      await proxy.stop()
    }
    return figures
  },
}

async function measure(bench: Bench, proxy: StartedCandidate, origin: Origin): Promise<Figure> {
  const { candidate, pid } = proxy
  const { smoke } = bench.options
  const count = smoke ? smokeTunnels : tunnels
  await delay(smoke ? smokeSettleMs : settleMs)
  const before = readTree(pid).residentBytes
  const ready = await freePort()
  const order: IdleTunnelsOrder = {
    ...tunnelTarget(proxy, origin.ports.once),
    tunnels: count,
    ready,
  }
  const load = await bench.children.startService({
    name: 'the load (idle-tunnels)',
    core: bench.cores.load,
    folder: newFolder(bench, 'idle-tunnels'),
    port: ready,
    program: process.execPath,
    args: [new URL('../load/idle-tunnels.ts', import.meta.url).pathname, JSON.stringify(order)],
    timeoutMs: fillTimeoutMs,
  })
  await delay(smoke ? smokeSettleMs : settleMs)
  const after = readTree(pid).residentBytes
  await load.stop()
  const cost = (after - before) / KiB / count
  bench.progress(`idle ${candidate.name} ${cost.toPrecision(3)} KiB/tunnel`)
  return {
    scenario: 'idle',
    candidate: candidate.name,
    cost,
    unit: 'KiB/tunnel',
    residentMiB: after / KiB / KiB,
    spread: 0,
    runs: 1,
    disturbed: 0,
  }
}
