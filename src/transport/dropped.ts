import { seconds } from '../units.ts'

/** How many connections more than allowed are answered with 503; what comes on top of them is dropped without a word. */
export const answeredBeyondLimit = 256

/** Under a flood nobody needs a line for each: `report` is told once a second how many there were since. */
export function createDropCounter(report: (dropped: number) => void): () => void {
  let dropped = 0
  return () => {
    dropped++
    if (dropped > 1) return
    setTimeout(() => {
      report(dropped)
      dropped = 0
    }, seconds(1)).unref()
  }
}
