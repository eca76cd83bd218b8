import { type Counts, createCounts, followResources, sharedMemory } from '../admin/tally.ts'
import type { RecordsLost } from '../audit/format-record.ts'
import type { LineBatch } from '../audit/line-batch.ts'
import type { SharedSlots } from '../transport/tunnel-slots.ts'
import { figure, figureCount, type ThreadMemory } from './thread-calls.ts'

/** What serving threads count, in memory that the main thread reads. It stays when a thread ends: nothing is lost with it. */

export interface ThreadFigures {
  readonly memory: ThreadMemory
  /** A batch of records has come. */
  take(batch: LineBatch): void
  /**
   * The thread has ended: what it had open is over, and the records that it had accepted and not handed over are lost.
   * Undefined: none.
   */
  settle(now: number): RecordsLost | undefined
}

export interface SharedFigures {
  readonly threads: readonly ThreadFigures[]
  /** For each thread, the figures of these resources, as they would be. */
  resourcesOf(keys: readonly string[]): readonly Counts['resources'][]
  /** They are. */
  setResources(resources: readonly Counts['resources'][]): void
  /** What is open of each resource, in each thread. A resource keeps its own for ever: something of it may be open. */
  slotsOf(keys: readonly string[]): SharedSlots
  readonly open: number
  readonly faults: number
}

interface MutableMemory extends ThreadMemory {
  counts: Counts
}

export function createSharedFigures(threads: number): SharedFigures {
  const slots = new Map<string, Int32Array>()
  const memories: readonly MutableMemory[] = Array.from({ length: threads }, () => ({
    counts: createCounts(sharedMemory),
    figures: sharedMemory(figureCount),
    waiting: sharedWords(1),
  }))
  const sum = (position: number): number =>
    memories.reduce((total, { figures }) => total + (figures[position] ?? 0), 0)

  return {
    threads: memories.map((memory, index) => createThreadFigures(memory, { index, slots })),
    resourcesOf: (keys) =>
      memories.map(({ counts }) =>
        followResources(counts.resources, { keys, allocate: sharedMemory }),
      ),
    setResources(resources) {
      for (const [index, memory] of memories.entries()) {
        const own = resources[index]
        if (own !== undefined) memory.counts = { ...memory.counts, resources: own }
      }
    },
    slotsOf(keys) {
      for (const key of keys) if (!slots.has(key)) slots.set(key, sharedWords(threads))
      return slots
    },
    get open() {
      return sum(figure.open)
    },
    get faults() {
      return sum(figure.faults)
    },
  }
}

function createThreadFigures(
  memory: ThreadMemory,
  { index, slots }: { readonly index: number; readonly slots: SharedSlots },
): ThreadFigures {
  const { figures, waiting } = memory
  /** Records that came here, or were said to be lost. */
  let heard = 0
  return {
    memory,
    take({ text, cuts, lost }) {
      Atomics.sub(waiting, 0, text.length)
      heard += cuts.length / 2 + (lost?.count ?? 0)
    },
    settle(now) {
      const count = (figures[figure.records] ?? 0) - heard
      heard += count
      figures[figure.open] = 0
      Atomics.store(waiting, 0, 0)
      const { begun, over } = memory.counts
      over.set(begun)
      for (const open of slots.values()) Atomics.store(open, index, 0)
      return count <= 0 ? undefined : { count, firstTime: now, lastTime: now }
    },
  }
}

/** Words that threads may count in. */
export function sharedWords(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT))
}
