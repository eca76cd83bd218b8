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

/** Milliseconds between two looks: a deadline is never early and at most twice so much late. */
const lookMs = 100

/** A look comes a little late now and then: what begins meanwhile is reckoned from the look before. */
const slackMs = 50

/** `sharedPhases` is the one in use; others are for tests, with a clock of their own. */
export class Phases {
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
    // Nobody has looked for as long as nothing was watched.
    if (this.#timer === undefined) this.now = this.#clock()
    return this.now + milliseconds + lookMs + slackMs
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
    const sinceLastMs = this.#clock() - this.now
    this.now += sinceLastMs
    // The thread was busy with something else and heard of no byte: nobody is late for that, and what began meanwhile
    // was reckoned from long ago.
    const lostMs = Math.max(0, sinceLastMs - lookMs - slackMs)
    for (const phased of this.#watched) {
      phased.dueAt += lostMs
      if (phased.dueAt <= this.now) phased.onDue()
    }
  }
}

/** Those of this thread. The timer neither keeps the process alive nor runs while nothing is watched. */
export const sharedPhases: Phases = new Phases()
