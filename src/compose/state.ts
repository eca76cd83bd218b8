import type { Status } from '../admin/status.ts'
import type { InForce } from '../settings/in-force.ts'
import type { DataPlane } from './data-plane.ts'
import type { Faults } from './faults.ts'

/** What changes while the process runs, in one place. Only `compose` writes it. */
export interface State {
  /** The one reference: everything that decides reads it anew for each decision. */
  inForce: InForce | undefined
  loadedAt: number | undefined
  readonly startedAt: number
  started: boolean
  draining: boolean
  reloads: number
  reloadFailures: number
  lastProblems: readonly string[]
  needsRestart: readonly string[]
}

export function createState(startedAt: number): State {
  return {
    inForce: undefined,
    loadedAt: undefined,
    startedAt,
    started: false,
    draining: false,
    reloads: 0,
    reloadFailures: 0,
    lastProblems: [],
    needsRestart: [],
  }
}

/** What the rest of a status is read from. */
export interface StatusSources {
  readonly faults: Faults
  readonly plane: Pick<DataPlane, 'open' | 'faults' | 'workers'>
  readonly accessLog: () => Status['accessLog']
  readonly warnings: () => readonly string[]
}

export function statusOf(state: State, sources: StatusSources): Status {
  const { inForce, lastProblems, ...rest } = state
  return {
    ...rest,
    instance: inForce?.settings.instance ?? '',
    policyVersion: inForce?.version,
    lastReloadFailed: lastProblems.length > 0,
    lastProblems,
    faults: sources.faults.count + sources.plane.faults,
    open: sources.plane.open,
    workers: sources.plane.workers,
    warnings: sources.warnings(),
    accessLog: sources.accessLog(),
  }
}
