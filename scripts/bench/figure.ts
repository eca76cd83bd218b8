/** One number for each thing that is measured of one candidate in one scenario. */
export interface Figure {
  readonly scenario: string
  readonly candidate: string
  /** What counts, and what bars compare: less is better. */
  readonly cost: number
  readonly unit:
    | 'µs/request'
    | 'µs/tunnel'
    | 'CPU s/GB'
    | 'ms'
    | 'KiB/tunnel'
    | 'MiB'
    | 'MiB for each further worker'
    | '% on the busier'
    | '% of the time of one'
    | '% of before'
  /** Requests, tunnels or GB a second, where that was measured. */
  readonly perSecond?: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  /** Resident memory of the whole process tree after the last run. */
  readonly residentMiB: number
  /** From the lowest to the highest run, as a share of the median; 0 for a single run. */
  readonly spread: number
  /** Runs that count, of which other programs disturbed so many however often they were repeated. */
  readonly runs: number
  readonly disturbed: number
}

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? NaN
  return (lower + upper) / 2
}
