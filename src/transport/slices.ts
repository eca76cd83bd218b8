import { setImmediate } from 'node:timers/promises'

/**
 * Long work in slices, so that the loop keeps serving meanwhile. Time alone does not bound a slice: what a step sets
 * off (closing a socket, its events) is paid for after the step has returned. Hence dear steps are counted as well.
 */

/** What one step did: nothing more to do, something of next to no consequence, or something that has consequences. */
export type Step = 'done' | 'cheap' | 'dear'

export interface SliceOptions {
  /** Milliseconds of work before the loop gets its turn; default 2. */
  readonly sliceMs?: number | undefined
  /** Dear steps before the loop gets its turn; default 4. With 16, ends took as long and stalled the loop twice as long. */
  readonly dearSteps?: number | undefined
  /** Milliseconds on a monotonic clock; default `performance.now`. */
  readonly now?: (() => number) | undefined
  /** Resolves after the loop has had its turn; default `setImmediate`. */
  readonly yieldToLoop?: (() => Promise<unknown>) | undefined
}

const defaultSliceMs = 2
const defaultDearSteps = 4

/** Takes steps until one says `done`. The first slice runs before this returns. A step must not throw. */
export async function runInSlices(step: () => Step, options: SliceOptions = {}): Promise<void> {
  const { sliceMs = defaultSliceMs, dearSteps = defaultDearSteps } = options
  const now = options.now ?? monotonicNow
  const yieldToLoop = options.yieldToLoop ?? setImmediate
  for (;;) {
    const until = now() + sliceMs
    let dear = 0
    do {
      const did = step()
      if (did === 'done') return
      if (did === 'dear') dear++
    } while (dear < dearSteps && now() < until)
    await yieldToLoop()
  }
}

/** Milliseconds since the process started: never set back, unlike the wall clock. */
export function monotonicNow(): number {
  return performance.now()
}
