/** What came of one probe. Only `held` is good: what could not be tried is not held. */
export interface Finding {
  /**
   * `open`: what must be refused was let through. `learning`: it was, and only because a resource is not Enforced yet.
   * `untried`: nothing is known.
   */
  readonly verdict: 'held' | 'open' | 'learning' | 'untried'
  /** Name of the listener, `health` or `admin`. */
  readonly door: string
  readonly probe: string
  /** The reason that the instance gave, or why it is not held. */
  readonly detail: string
  /** Of the access record, where there is one. */
  readonly correlationId?: string
}
