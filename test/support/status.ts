import type { Status } from '../../src/admin/status.ts'

/** A process that is ready, with what matters to the test. */
export function statusOf(parts: Partial<Status> = {}): Status {
  return {
    instance: 'test',
    policyVersion: 'v1',
    loadedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    startedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    started: true,
    draining: false,
    reloads: 0,
    reloadFailures: 0,
    lastReloadFailed: false,
    lastProblems: [],
    needsRestart: [],
    faults: 0,
    open: 0,
    workers: { wanted: 1, serving: 1, replaced: 0 },
    warnings: [],
    accessLog: { state: 'written', accepted: 0, lost: 0 },
    ...parts,
  }
}
