/**
 * So many at once, and so many a second from then on: what a client may do for nothing. Kept by each session for itself,
 * without a timer.
 */
export interface Allowance {
  /** Takes one, or false where there is none left. */
  take(): boolean
}

export function createAllowance(options: {
  readonly burst: number
  readonly perSecond: number
  /** Milliseconds from an arbitrary start. */
  readonly now: () => number
}): Allowance {
  const { burst, perSecond, now } = options
  let left = burst
  let countedAt = now()
  return {
    take() {
      const at = now()
      left = Math.min(burst, left + ((at - countedAt) / 1000) * perSecond)
      countedAt = at
      if (left < 1) return false
      left--
      return true
    },
  }
}
