import type { OpenEntry } from '../transport/connections.ts'

/** What is judged again while it is open. */
export interface Judged {
  /** Whether it is still allowed. Must not throw. */
  judge(): boolean
  /** Ends it, because it is not. */
  revoke(): void
}

/**
 * Stands among what is open for all requests of one connection, one after the other: a table that each request entered
 * and left would be work for every one of them, and for the collector.
 */
export class OpenSlot {
  /** What is open at the moment; while nothing is, there is nothing to be judged. */
  current: Judged | undefined
  readonly entry: OpenEntry = {
    version: '',
    expiresAt: Number.POSITIVE_INFINITY,
    judge: () => this.current?.judge() ?? true,
    revoke: () => this.current?.revoke(),
  }
}
