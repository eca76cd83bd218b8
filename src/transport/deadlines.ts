import { monotonicNow, runInSlices, type SliceOptions, type Step } from './slices.ts'

/**
 * Deadlines for very many things at next to no cost, by one timer wheel:
 *
 *   watch ─▶ slot of the tick at which it could expire first ─ tick ─▶ over: onExpire
 *                        ▲                                       └─▶ has moved meanwhile, or is due a later round
 *                        └───────────────────────────────────────────────┘
 *
 * What moves says so by one assignment; no timer is set back. One timer for all, none when nothing is watched.
 */

export interface DeadlineTimes {
  /** Milliseconds without `touch`. */
  readonly idleMs: number
  /** Milliseconds in all. */
  readonly lifetimeMs: number
  /** Called at most once, never before the time is up and within about two ticks of it. Must not throw. */
  onExpire(which: 'idle' | 'lifetime'): void
}

export interface Deadline {
  /** Something moved: the idle time starts anew. */
  touch(): void
  /** No more calls of `onExpire`, and nothing of the times is kept. A second call does nothing. */
  cancel(): void
}

export interface Deadlines {
  /** Keeps `times` until it is over or cancelled. */
  watch(times: DeadlineTimes): Deadline
}

export interface DeadlinesOptions extends SliceOptions {
  /** Milliseconds between two looks; default 100. */
  readonly tickMs?: number
}

/**
 * The time between two looks. Whoever moves is marked with the one that runs, and counts as having moved at its end: that
 * is never too early, however long a loop that stands still makes it.
 */
interface Period {
  /** Unknown while it runs. */
  endedAt: number | undefined
}

interface Slot {
  first: Watched | undefined
}

const defaultTickMs = 100

/** A round of the wheel. What is due later is looked at once a round. */
const slotCount = 512

class Wheel implements Deadlines {
  readonly #options: DeadlinesOptions
  readonly #tickMs: number
  readonly #now: () => number
  readonly #slots: (Slot | undefined)[] = Array.from({ length: slotCount })
  /** Slots whose tick has come. */
  readonly #due: Slot[] = []
  #period: Period = { endedAt: undefined }
  #lookedAt = 0
  /** The last tick whose slot has come. */
  #tick = 0
  #watched = 0
  #timer: NodeJS.Timeout | undefined
  #isLooking = false

  constructor(options: DeadlinesOptions) {
    this.#options = options
    this.#tickMs = options.tickMs ?? defaultTickMs
    this.#now = options.now ?? monotonicNow
  }

  get period(): Period {
    return this.#period
  }

  watch(times: DeadlineTimes): Deadline {
    const now = this.#now()
    if (this.#timer === undefined) {
      this.#tick = Math.floor(now / this.#tickMs)
      this.#timer = setInterval(() => this.#look(), this.#tickMs)
      this.#timer.unref()
    }
    this.#watched++
    const watched = new Watched(this, times, now + times.lifetimeMs)
    this.#file(watched, watched.dueAt(now))
    return watched
  }

  /** Takes out what is no longer to be watched. */
  forget(watched: Watched): void {
    watched.unlink()
    this.#watched--
  }

  #file(watched: Watched, dueAt: number): void {
    const at = Math.max(Math.ceil(dueAt / this.#tickMs), this.#tick + 1)
    const index = Math.min(at, this.#tick + slotCount) % slotCount
    watched.link((this.#slots[index] ??= { first: undefined }))
  }

  #look(): void {
    // Here and not as soon as there is none: what comes and goes at every request would set a timer at every request.
    if (this.#watched === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const now = this.#now()
    this.#period.endedAt = now
    this.#period = { endedAt: undefined }
    this.#lookedAt = now
    const tick = Math.floor(now / this.#tickMs)
    for (let at = Math.max(this.#tick, tick - slotCount) + 1; at <= tick; at++) {
      const slot = this.#slots[at % slotCount]
      if (slot?.first === undefined) continue
      this.#due.push(slot)
      this.#slots[at % slotCount] = undefined
    }
    this.#tick = tick
    if (!this.#isLooking && this.#due.length > 0) void this.#lookAtDue()
  }

  /** In slices: ten thousand that expire together must not stall the others. */
  async #lookAtDue(): Promise<void> {
    this.#isLooking = true
    await runInSlices(() => this.#lookAtOne(), this.#options)
    this.#isLooking = false
  }

  #lookAtOne(): Step {
    const slot = this.#due[0]
    if (slot === undefined) return 'done'
    const watched = slot.first
    if (watched === undefined) {
      this.#due.shift()
      return 'cheap'
    }
    const dueAt = watched.dueAt(this.#lookedAt)
    if (dueAt > this.#lookedAt) {
      watched.unlink()
      this.#file(watched, dueAt)
      return 'cheap'
    }
    watched.expire(this.#lookedAt)
    return 'dear'
  }
}

class Watched implements Deadline {
  readonly #wheel: Wheel
  #times: DeadlineTimes | undefined
  readonly #endsAt: number
  #movedIn: Period
  #slot: Slot | undefined
  #next: Watched | undefined
  #previous: Watched | undefined

  constructor(wheel: Wheel, times: DeadlineTimes, endsAt: number) {
    this.#wheel = wheel
    this.#times = times
    this.#endsAt = endsAt
    this.#movedIn = wheel.period
  }

  touch(): void {
    this.#movedIn = this.#wheel.period
  }

  cancel(): void {
    if (this.#times === undefined) return
    this.#times = undefined
    this.#wheel.forget(this)
  }

  /** When it is over if nothing moves any more. `now` stands in for the end of the period that runs. */
  dueAt(now: number): number {
    const idleMs = this.#times?.idleMs ?? 0
    return Math.min((this.#movedIn.endedAt ?? now) + idleMs, this.#endsAt)
  }

  expire(now: number): void {
    const times = this.#times
    this.cancel()
    times?.onExpire(this.#endsAt <= now ? 'lifetime' : 'idle')
  }

  link(slot: Slot): void {
    this.#slot = slot
    this.#next = slot.first
    if (this.#next !== undefined) this.#next.#previous = this
    slot.first = this
  }

  unlink(): void {
    if (this.#previous !== undefined) this.#previous.#next = this.#next
    else if (this.#slot !== undefined) this.#slot.first = this.#next
    if (this.#next !== undefined) this.#next.#previous = this.#previous
    this.#slot = undefined
    this.#next = undefined
    this.#previous = undefined
  }
}

export function createDeadlines(options: DeadlinesOptions = {}): Deadlines {
  return new Wheel(options)
}

/** Those of this thread. The timer neither keeps the process alive nor runs while nothing is watched. */
export const sharedDeadlines: Deadlines = createDeadlines()
