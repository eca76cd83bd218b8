/**
 * What is open: tunnels, upgrades, requests in flight. On every swap of what is in force each entry is judged again
 * with its original facts; what is no longer allowed ends as `policy-revoked`.
 */

export interface OpenEntry {
  /** Version that decided it last; written by the registry. */
  version: string
  /** Judges the original facts against what is in force now: whether it is still allowed. Must not throw; a fault is false. */
  readonly judge: () => boolean
  /** Ends it at once. Called once at most. */
  readonly revoke: () => void
}

export interface OpenConnections {
  readonly size: number
  /**
   * Registers, before the first byte moves. Judges again if `entry.version` is not the version in force; false means
   * that it is no longer allowed: it was not registered, and the caller refuses it.
   */
  register(entry: OpenEntry): boolean
  unregister(entry: OpenEntry): void
  /** Judges everything again in slices of at most 2 ms; resolves when the pass (or a newer one) is through. */
  judgeAgain(version: string): Promise<void>
}
