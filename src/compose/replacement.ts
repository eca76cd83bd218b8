import { minutes, seconds } from '../units.ts'

/** Brings back what has ended, at once the first time, and then later and later: what fails at once would fail for ever. */
export interface Replacement {
  /** One has ended. */
  ended(index: number): void
  /** From now on nothing is brought back. */
  stop(): void
}

export interface ReplacementOptions {
  /** Starts another; rejects where that fails, and `ended` is called for it, too. */
  readonly replace: (index: number) => Promise<void>
  readonly onFailure: (error: unknown, index: number) => void
  /** Milliseconds from an arbitrary start, never going back. */
  readonly monotonicNow: () => number
}

const firstDelayMs = 100
const lastDelayMs = seconds(10)
/** Who lives as long as this has not failed at once. */
const stableMs = minutes(1)

export function createReplacement(options: ReplacementOptions): Replacement {
  const { replace, onFailure, monotonicNow } = options
  const timers = new Set<NodeJS.Timeout>()
  const last = new Map<number, { readonly at: number; readonly delayMs: number }>()
  let hasStopped = false

  return {
    ended(index) {
      if (hasStopped) return
      const delayMs = nextDelay(last.get(index), monotonicNow())
      last.set(index, { at: monotonicNow() + delayMs, delayMs })
      const timer = setTimeout(() => {
        timers.delete(timer)
        replace(index).catch((error: unknown) => onFailure(error, index))
      }, delayMs)
      timers.add(timer)
    },
    stop() {
      hasStopped = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

function nextDelay(
  last: { readonly at: number; readonly delayMs: number } | undefined,
  now: number,
): number {
  if (last === undefined || now - last.at > stableMs) return 0
  return Math.min(lastDelayMs, Math.max(firstDelayMs, 2 * last.delayMs))
}
