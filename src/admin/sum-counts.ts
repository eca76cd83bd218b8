import { type Counts, type LatencyTally, ownMemory, type ResourceTally } from './tally.ts'

/** The figures of several threads as one. Made when somebody asks. */
export function sumCounts(all: readonly Counts[]): Counts {
  const resources = new Map<string, ResourceTally>()
  for (const counts of all) {
    for (const [key, tally] of counts.resources) {
      const known = resources.get(key)
      resources.set(key, known === undefined ? tally : sumTallies(known, tally))
    }
  }
  return {
    resources,
    latency: all.reduce<readonly LatencyTally[]>(
      (sums, { latency }) =>
        latency.map(({ buckets, sum }, index) => ({
          buckets: add(sums[index]?.buckets, buckets),
          sum: add(sums[index]?.sum, sum),
        })),
      [],
    ),
    begun: all.reduce<Float64Array>((sum, { begun }) => add(sum, begun), ownMemory(0)),
    over: all.reduce<Float64Array>((sum, { over }) => add(sum, over), ownMemory(0)),
  }
}

function sumTallies(one: ResourceTally, other: ResourceTally): ResourceTally {
  return {
    decisions: add(one.decisions, other.decisions),
    requests: add(one.requests, other.requests),
    tunnels: add(one.tunnels, other.tunnels),
    bytes: add(one.bytes, other.bytes),
  }
}

/** A new array, or one of the two where there is no other. */
function add(one: Float64Array | undefined, other: Float64Array): Float64Array {
  return one === undefined || one.length === 0
    ? other
    : other.map((value, index) => value + (one[index] ?? 0))
}
