import type { Denial } from '../admin/denials.ts'
import type { Status } from '../admin/status.ts'
import type { Counts } from '../admin/tally.ts'
import type { CompiledPolicy } from '../policy/compiled-policy.ts'
import type { InForce } from '../settings/in-force.ts'
import type { Filling } from '../workers/arena-pair.ts'
import type { Bound } from './bound.ts'
import type { Openings } from './openings.ts'
import type { ListenerPems } from './read-secure-contexts.ts'

export type Side = 'inbound' | 'outbound'

/** What is to be put in force. */
export interface NextInForce {
  readonly inForce: InForce
  /** What it was made of, for other threads to make the same. */
  readonly policy: CompiledPolicy
  /** Where its tables lie, if another thread compiled them. */
  readonly filling: Filling | undefined
  readonly pems: ListenerPems
}

/**
 * What serves: all listeners of both sides, on the main thread or on several others. Everything around it (files, reload,
 * health, admin, the writer of the access log) is on the main thread and asks it only what is here.
 */
export interface DataPlane {
  /**
   * Opens all listeners, each by way of `add`, which hears what it got or why it does not open. Rejects with
   * `PerimeterError` RF_LISTEN where none of them can be opened; the caller closes.
   */
  listen(add: Openings['add']): Promise<void>
  /** Everything that this instance has bound, whoever did: it must not be talked into dialling itself. */
  learn(bound: readonly Bound[]): Promise<void>
  /**
   * Puts it in force for every decision at once, and calls `apply` then. Rejects, and nothing has changed, where that is
   * not possible. What it resolves with lets everything that is open follow, and resolves when nothing is open any more
   * that is now forbidden.
   */
  swap(next: NextInForce, apply: () => void): Promise<() => Promise<void>>
  /** Takes no new work on that side and waits for what it has begun. False: the time was up. */
  finish(side: Side, timeoutMs: number): Promise<boolean>
  /** Cuts off whatever is open; resolves when all sockets are gone and all records are handed over. */
  close(): Promise<void>
  counts(): Counts
  /** Newest first; with a correlation id, only its denials. */
  denials(correlationId?: string): Promise<readonly Denial[]>
  /** Tunnels, upgrades and requests in flight. */
  readonly open: number
  /** Faults that nobody handled, on other threads than this. */
  readonly faults: number
  readonly workers: Status['workers']
}
