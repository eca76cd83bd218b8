import { monotonicNow } from './slices.ts'

/**
 * Deadlines of very many connections that go from phase to phase (a head, a body, the next head): a new phase and a byte
 * that moves cost one assignment each. All are looked at a few times a second.
 */

export interface Phased {
  /** On the clock of `Phases.now`; `Infinity` for none. */
  dueAt: number
  /** Called once `dueAt` has passed, at each look until it is set anew or the thing is removed. Must not throw. */
  onDue(): void
}

/** Milliseconds between two looks: a deadline is never early and at most so much late. */
const lookMs = 100

class Phases {
  /** Milliseconds, as of the last look: what deadlines are reckoned from. */
  now: number
  readonly #clock: () => number
  readonly #watched = new Set<Phased>()
  #timer: NodeJS.Timeout | undefined

  constructor(clock: () => number = monotonicNow) {
    this.#clock = clock
    this.now = clock()
  }

  /** The deadline of a phase that begins now: never early, although `now` is up to a look old. */
  in(milliseconds: number): number {
    return this.now + milliseconds + lookMs
  }

  add(phased: Phased): void {
    if (this.#timer === undefined) {
      this.now = this.#clock()
      this.#timer = setInterval(() => this.look(), lookMs)
      this.#timer.unref()
    }
    this.#watched.add(phased)
  }

  remove(phased: Phased): void {
    this.#watched.delete(phased)
    if (this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Tells everything that is due. The timer calls it. */
  look(): void {
    this.now = this.#clock()
    for (const phased of this.#watched) if (phased.dueAt <= this.now) phased.onDue()
  }
}

/** Those of this thread. The timer neither keeps the process alive nor runs while nothing is watched. */
export const sharedPhases: Phases = new Phases()
