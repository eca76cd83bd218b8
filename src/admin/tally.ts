import type { AccessRecord } from '../audit/record.ts'
import type { EndedExchange, ExchangeKind, Meter } from '../audit/meter.ts'
import { categories, type Category } from '../perimeter/category.ts'
import type { Direction } from '../perimeter/perimeter.ts'
import type { Effect } from '../policy/decision.ts'
import { decisionReasons, type DecisionReason } from '../reasons.ts'

/**
 * What is counted while requests pass: plain numbers in arrays that exist before the first request, no label objects
 * and no strings built. `metrics.ts` gives them names when somebody asks. Resources are those of the settings; whatever
 * else was addressed is counted under no resource, so a client cannot make the number of series grow.
 *
 * The arrays may lie in memory that threads share: one thread counts, another reads. A figure is a whole word, and is never
 * read half written.
 */

export const directions = ['Inbound', 'Outbound'] as const satisfies readonly Direction[]
export const effects = ['allow', 'deny'] as const satisfies readonly Effect[]
export const exchangeKinds = [
  'connection',
  'request',
  'tunnel',
] as const satisfies readonly ExchangeKind[]
/** Status classes; `none` where the client never got one. */
export const statusClasses = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** Upper bounds in milliseconds: from a cached answer on the same machine to the longest that a page waits. */
export const latencyBoundsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** The counters of one resource. Indices are made by the functions below. */
export interface ResourceTally {
  readonly decisions: Float64Array
  readonly requests: Float64Array
  readonly tunnels: Float64Array
  /** By direction: from the client, then to the client. */
  readonly bytes: Float64Array
}

export interface LatencyTally {
  /** One more than there are bounds: the last is above all of them. Not cumulative. */
  readonly buckets: Float64Array
  /** One figure: the sum in milliseconds. */
  readonly sum: Float64Array
}

/** What was counted. Can be sent to another thread; where it lies in shared memory, it is the same there. */
export interface Counts {
  /** By resource (`ResourceId.key`); the empty key stands for none. */
  readonly resources: ReadonlyMap<string, ResourceTally>
  /** By direction. */
  readonly latency: readonly LatencyTally[]
  /** Exchanges begun and ended, at `exchangeIndex`. */
  readonly begun: Float64Array
  readonly over: Float64Array
}

export interface Tally extends Meter {
  /** Counts a decision; an end line is none. */
  decided(record: AccessRecord): void
  /** What is counted into from now on: the figures of resources that are not in it are dropped. */
  setResources(resources: Counts['resources']): void
  readonly counts: Counts
}

/** Where the figures of so many counters lie. */
export type Allocate = (length: number) => Float64Array

export const ownMemory: Allocate = (length) => new Float64Array(length)

export const sharedMemory: Allocate = (length) =>
  new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT))

const categoryIndices = new Map<Category | undefined, number>([
  [undefined, 0],
  ...categories.map((category, index): [Category, number] => [category, index + 1]),
])
const reasonIndices = new Map<DecisionReason, number>(
  decisionReasons.map((reason, index) => [reason, index]),
)
const decisionCount =
  directions.length * effects.length * categoryIndices.size * decisionReasons.length

/** Position of a decision's counter. */
export function decisionIndex(decision: {
  readonly direction: Direction
  readonly effect: Effect
  readonly category: Category | undefined
  readonly reason: DecisionReason
}): number {
  const categoryIndex = categoryIndices.get(decision.category) ?? 0
  const reasonIndex = reasonIndices.get(decision.reason) ?? 0
  const sides = directionIndex(decision.direction) * 2 + (decision.effect === 'allow' ? 0 : 1)
  return (sides * categoryIndices.size + categoryIndex) * decisionReasons.length + reasonIndex
}

export function directionIndex(direction: Direction): number {
  return direction === 'Inbound' ? 0 : 1
}

export function exchangeIndex(kind: ExchangeKind, direction: Direction): number {
  const kindIndex = kind === 'connection' ? 0 : kind === 'request' ? 1 : 2
  return kindIndex * directions.length + directionIndex(direction)
}

export function createCounts(allocate: Allocate): Counts {
  const exchanges = exchangeKinds.length * directions.length
  return {
    resources: new Map([['', emptyTally(allocate)]]),
    latency: directions.map(() => ({
      buckets: allocate(latencyBoundsMs.length + 1),
      sum: allocate(1),
    })),
    begun: allocate(exchanges),
    over: allocate(exchanges),
  }
}

/** The resources of new settings: with the figures that they have, or with none yet. */
export function followResources(
  known: Counts['resources'],
  { keys, allocate }: { readonly keys: Iterable<string>; readonly allocate: Allocate },
): Counts['resources'] {
  const next = new Map<string, ResourceTally>()
  for (const key of ['', ...keys]) next.set(key, known.get(key) ?? emptyTally(allocate))
  return next
}

/** Counts on from what is given. */
export function createTally(counts: Counts = createCounts(ownMemory)): Tally {
  const { latency, begun, over } = counts
  let { resources } = counts
  let noResource = ofNone(resources)

  return {
    get counts() {
      return { resources, latency, begun, over }
    },
    decided(record) {
      if (record.end !== undefined) return
      const { decision } = record
      add(ofResource(decision.resource?.id.key).decisions, decisionIndex(decision), 1)
    },
    setResources(next) {
      resources = next
      noResource = ofNone(next)
    },
    opened(kind, direction) {
      add(begun, exchangeIndex(kind, direction), 1)
    },
    ended(exchange) {
      add(over, exchangeIndex(exchange.kind, exchange.direction), 1)
      if (exchange.kind !== 'connection') countExchange(exchange)
    },
  }

  function ofResource(key: string | undefined): ResourceTally {
    return (key === undefined ? undefined : resources.get(key)) ?? noResource
  }

  function countExchange(exchange: EndedExchange): void {
    const tally = ofResource(exchange.resource)
    const direction = directionIndex(exchange.direction)
    add(tally.bytes, direction * 2, exchange.bytesIn)
    add(tally.bytes, direction * 2 + 1, exchange.bytesOut)
    if (exchange.kind === 'tunnel') {
      add(tally.tunnels, direction, 1)
      return
    }
    const statusClass = exchange.status === undefined ? 0 : Math.floor(exchange.status / 100)
    const known = statusClass < statusClasses.length ? statusClass : 0
    add(tally.requests, direction * statusClasses.length + known, 1)
    const times = latency[direction]
    if (times === undefined) return
    add(times.sum, 0, exchange.durationMs)
    add(times.buckets, latencyBucket(exchange.durationMs), 1)
  }
}

function latencyBucket(durationMs: number): number {
  let bucket = 0
  while (durationMs > (latencyBoundsMs[bucket] ?? Infinity)) bucket++
  return bucket
}

function ofNone(resources: Counts['resources']): ResourceTally {
  return resources.get('') ?? emptyTally(ownMemory)
}

function emptyTally(allocate: Allocate): ResourceTally {
  return {
    decisions: allocate(decisionCount),
    requests: allocate(directions.length * statusClasses.length),
    tunnels: allocate(directions.length),
    bytes: allocate(directions.length * 2),
  }
}

function add(counters: Float64Array, index: number, amount: number): void {
  counters[index] = (counters[index] ?? 0) + amount
}
