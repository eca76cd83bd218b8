/** Latencies counted in steps, so that a million of them cost nothing. */
export interface Histogram {
  add(ms: number): void
  /** Upper end of the step that holds the share (0 to 1), in milliseconds. */
  quantile(share: number): number
  readonly count: number
  readonly maxMs: number
}

const stepsPerMs = 100
const stepCount = 10_000 * stepsPerMs

/** Steps of 10 µs up to ten seconds; what takes longer counts as ten. */
export function createHistogram(): Histogram {
  const steps = new Uint32Array(stepCount + 1)
  let count = 0
  let maxMs = 0
  return {
    add(ms) {
      const step = Math.min(stepCount, Math.max(0, Math.floor(ms * stepsPerMs)))
      steps[step] = (steps[step] ?? 0) + 1
      count++
      if (ms > maxMs) maxMs = ms
    },
    quantile(share) {
      const rank = Math.ceil(count * share)
      let seen = 0
      for (const [step, held] of steps.entries()) {
        seen += held
        if (seen >= rank && seen > 0) return (step + 1) / stepsPerMs
      }
      return NaN
    },
    get count() {
      return count
    },
    get maxMs() {
      return maxMs
    },
  }
}
