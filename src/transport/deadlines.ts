import { monotonicNow, runInSlices, type SliceOptions, type Step } from './slices.ts'

/**
 * Deadlines for very many long-lived things at next to no cost: a byte that moves costs one assignment, not a timer
 * set back. Everything is filed under the tick at which it could expire first; when that tick comes, what has moved
 * meanwhile is filed anew, what has not is over. One timer for all, none when nothing is watched.
 */

export interface DeadlineTimes {
  /** Milliseconds without `touch`. */
  readonly idleMs: number
  /** Milliseconds in all. */
  readonly lifetimeMs: number
  /** Called at most once, after the deadline and within about two ticks of it. Must not throw. */
  readonly onExpire: (which: 'idle' | 'lifetime') => void
}

export interface Deadline {
  /** Something moved: the idle time starts anew. */
  touch(): void
  /** No more calls of `onExpire`. */
  cancel(): void
}

export interface Deadlines {
  watch(times: DeadlineTimes): Deadline
}

export interface DeadlinesOptions extends SliceOptions {
  /** Milliseconds between two looks; default 100. */
  readonly tickMs?: number
}

interface Watched {
  touchedTick: number
  filedUnder: number
  readonly idleTicks: number
  readonly lastTick: number
  readonly onExpire: DeadlineTimes['onExpire']
}

const defaultTickMs = 100

export function createDeadlines(options: DeadlinesOptions = {}): Deadlines {
  const { tickMs = defaultTickMs } = options
  const now = options.now ?? monotonicNow
  const filed = new Map<number, Set<Watched>>()
  /** Ticks up to this one have been looked at, or are about to be by the pass that runs. */
  let tick = currentTick()
  let watchedCount = 0
  let timer: NodeJS.Timeout | undefined
  let looking = false

  function currentTick(): number {
    return Math.floor(now() / tickMs)
  }

  /** One tick more than the time asked for, because `touchedTick` is up to a tick behind. */
  function ticksOf(milliseconds: number): number {
    return Math.ceil(milliseconds / tickMs) + 1
  }

  function dueTick(watched: Watched): number {
    return Math.min(watched.touchedTick + watched.idleTicks, watched.lastTick)
  }

  function file(watched: Watched): void {
    // Never under a tick that has been looked at already.
    watched.filedUnder = Math.max(dueTick(watched), tick + 1)
    const slot = filed.get(watched.filedUnder)
    if (slot === undefined) filed.set(watched.filedUnder, new Set([watched]))
    else slot.add(watched)
  }

  function forget(watched: Watched): void {
    const slot = filed.get(watched.filedUnder)
    if (slot === undefined || !slot.delete(watched)) return
    if (slot.size === 0) filed.delete(watched.filedUnder)
    watchedCount--
    if (watchedCount === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }

  function look(): void {
    const from = tick + 1
    tick = currentTick()
    if (looking) return
    looking = true
    void lookAt(from).finally(() => {
      looking = false
    })
  }

  /** In slices: ten thousand that expire together must not stall the others. */
  async function lookAt(from: number): Promise<void> {
    let at = from
    await runInSlices(() => {
      while (at <= tick) {
        const [watched] = filed.get(at) ?? []
        if (watched !== undefined) return lookAtOne(watched)
        at++
      }
      return 'done'
    }, options)
  }

  function lookAtOne(watched: Watched): Step {
    const due = dueTick(watched)
    if (due > tick) {
      const slot = filed.get(watched.filedUnder)
      slot?.delete(watched)
      if (slot?.size === 0) filed.delete(watched.filedUnder)
      file(watched)
      return 'cheap'
    }
    forget(watched)
    watched.onExpire(due === watched.lastTick ? 'lifetime' : 'idle')
    return 'dear'
  }

  return {
    watch({ idleMs, lifetimeMs, onExpire }) {
      if (timer === undefined) {
        tick = currentTick()
        timer = setInterval(look, tickMs)
        timer.unref()
      }
      const watched: Watched = {
        touchedTick: tick,
        filedUnder: 0,
        idleTicks: ticksOf(idleMs),
        lastTick: tick + ticksOf(lifetimeMs),
        onExpire,
      }
      watchedCount++
      file(watched)
      return {
        touch() {
          watched.touchedTick = tick
        },
        cancel() {
          forget(watched)
        },
      }
    },
  }
}

/** Those of this thread. The timer neither keeps the process alive nor runs while nothing is watched. */
export const sharedDeadlines: Deadlines = createDeadlines()
