import type { LogState } from '../audit/log-writer.ts'

/** How the process is: what `/readyz` and `/status` answer from. Read on demand, never cached. */
export interface Status {
  readonly instance: string
  /** Of the policy in force; undefined before the first is loaded. */
  readonly policyVersion: string | undefined
  /** Milliseconds since the epoch. */
  readonly loadedAt: number | undefined
  readonly startedAt: number
  /** Every listener is open. */
  readonly started: boolean
  readonly draining: boolean
  readonly reloads: number
  readonly reloadFailures: number
  readonly lastReloadFailed: boolean
  /** Why the last reload failed, one line each. Reveals policy: for the admin socket only. */
  readonly lastProblems: readonly string[]
  /** Settings that changed but count only after a restart, by name. */
  readonly needsRestart: readonly string[]
  /** Faults that nobody handled since the start. */
  readonly faults: number
  /** Tunnels, upgrades and requests in flight. */
  readonly open: number
  /** Threads that serve: as many as settings want, those that do, and how often one has taken another's place. */
  readonly workers: { readonly wanted: number; readonly serving: number; readonly replaced: number }
  /** What would be better otherwise, as words for an operator; nothing that is wrong. */
  readonly warnings: readonly string[]
  readonly accessLog: {
    readonly state: LogState
    readonly accepted: number
    readonly lost: number
  }
}

export type CurrentStatus = () => Status

/** Whether traffic should be sent here. */
export function isReady(status: Status): boolean {
  return (
    status.started &&
    !status.draining &&
    status.policyVersion !== undefined &&
    status.workers.serving > 0 &&
    status.accessLog.state !== 'refusing'
  )
}
