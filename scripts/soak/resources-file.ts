/** What the probe inside Ringfence and the soak say to one another, by files in the instance's folder. */

/** Holds a number: whenever it changes, each thread measures what it holds. */
export const measureFile = 'measure'

/** One for each thread. */
export const resourcesFile = (thread: number): string => `resources-${thread}`

export interface Resources {
  /** Timers that keep the thread alive. */
  readonly timers: number
  readonly held: Held
}

/** After a collection of garbage. */
export interface Held {
  /** As asked for; 0 before the first time. */
  readonly number: number
  /** All of them. */
  readonly timers: number
  /** On the heap, and beside it for what is on the heap. */
  readonly bytes: number
}
