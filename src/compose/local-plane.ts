import { createCountingLog } from '../admin/counting-log.ts'
import { createRecentDenials } from '../admin/denials.ts'
import { createTally, followResources, ownMemory } from '../admin/tally.ts'
import type { OperationalLog } from '../audit/operational-log.ts'
import type { AccessLog } from '../audit/record.ts'
import type { InForce } from '../settings/in-force.ts'
import { createOpenConnections } from '../transport/connections.ts'
import type { ArenaPair } from '../workers/arena-pair.ts'
import type { Bound } from './bound.ts'
import type { DataPlane, NextInForce } from './data-plane.ts'
import type { Faults } from './faults.ts'
import { createServing } from './serving.ts'

export interface PlanePorts {
  readonly first: NextInForce
  /** Where a policy lies that another thread compiled. */
  readonly arenas: () => ArenaPair
  readonly currentInForce: () => InForce | undefined
  readonly accessLog: AccessLog
  readonly faults: Faults
  readonly log: OperationalLog
  readonly bound: readonly Bound[]
  readonly boot: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Serves on this thread, and keeps no other. */
export function createLocalPlane(ports: PlanePorts): DataPlane {
  const { first, arenas, currentInForce, accessLog, faults, log, bound, boot, now } = ports
  const tally = createTally()
  const denials = createRecentDenials()
  const openConnections = createOpenConnections({
    version: () => currentInForce()?.version ?? '',
    onFault: faults.report,
  })
  const serving = createServing({
    listeners: first.inForce.settings,
    currentInForce,
    accessLog: createCountingLog(accessLog, { tally, denials }),
    openConnections,
    meter: tally,
    log,
    bound,
    boot,
    now,
  })
  let { pems } = first
  follow(first)

  function follow({ inForce }: NextInForce): void {
    const keys = inForce.settings.resources.map(({ id }) => id.key)
    tally.setResources(followResources(tally.counts.resources, { keys, allocate: ownMemory }))
  }

  /** No other thread reads it, so this only makes the other arena the spare. */
  async function commit({ filling }: NextInForce): Promise<void> {
    if (filling !== undefined) await arenas().commit(filling, undefined)
  }

  return {
    async listen(add) {
      await commit(first)
      await serving.listen(pems, add)
    },
    learn: () => Promise.resolve(),
    async swap(next, apply) {
      await commit(next)
      const before = pems
      pems = next.pems
      apply()
      follow(next)
      const { version } = next.inForce
      return () => serving.follow({ version, before, after: next.pems })
    },
    finish: (side, timeoutMs) => serving.finish(side, timeoutMs),
    close: () => serving.close(),
    counts: () => tally.counts,
    denials: (correlationId) => Promise.resolve(denials.list(correlationId)),
    get open() {
      return openConnections.size
    },
    faults: 0,
    workers: { wanted: 1, serving: 1, replaced: 0 },
  }
}
