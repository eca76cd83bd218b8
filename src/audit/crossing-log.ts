import { createRecordFormat, type RecordOrigin, type RecordsLost } from './format-record.ts'
import type { LineBatch } from './line-batch.ts'
import { isLogged } from './logged-category.ts'
import type { AccessLog, AccessRecord } from './record.ts'

/**
 * The access log as a serving thread has it: makes the lines, and hands them in batches to the one writer, which numbers
 * them. A message for each record would cost more than the record.
 */

export interface CrossingLogOptions extends RecordOrigin {
  /** Hands a batch over; must not wait. Whoever takes it takes its length off `waiting`. */
  readonly post: (batch: LineBatch) => void
  /** One word that both threads share: bytes that were handed over and are not taken yet. */
  readonly waiting: Int32Array
  /** More than this waiting, and records are lost. */
  readonly maxWaitingBytes: number
  /** Whether the writer blocks new work. */
  readonly isBlocked: () => boolean
  /** For the operational log. Called once. */
  readonly onProblem: (problem: string) => void
  /** Whether losing records here blocks new work too. */
  readonly onFailure: 'deny' | 'continue'
  /** Each record that was accepted or lost here, before anything else: what is not handed over later was lost. */
  readonly onRecord: () => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface CrossingLog extends AccessLog {
  /** Hands over what there is. */
  flush(): void
}

const maxBatchLines = 64
const maxBatchMs = 5

export function createCrossingLog(options: CrossingLogOptions): CrossingLog {
  const { post, waiting, maxWaitingBytes, isBlocked, onFailure, onRecord, onProblem, now } = options
  const format = createRecordFormat(options)
  let text = ''
  let cuts: number[] = []
  let lost: { count: number; firstTime: number; lastTime: number } | undefined
  let timer: NodeJS.Timeout | undefined
  let hasFailedToFormat = false

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (cuts.length === 0 && lost === undefined) return
    Atomics.add(waiting, 0, text.length)
    post({ text, cuts, lost })
    text = ''
    cuts = []
    lost = undefined
  }

  function hasRoom(): boolean {
    return Atomics.load(waiting, 0) + text.length < maxWaitingBytes
  }

  function lose(): void {
    const time = now()
    lost = addTo(lost, time)
    schedule()
  }

  function schedule(): void {
    timer ??= setTimeout(flush, maxBatchMs)
  }

  function add(record: AccessRecord): void {
    const head = format.head(record)
    const tail = format.tail(record)
    cuts.push(text.length + head.length, text.length + head.length + tail.length)
    text += head + tail
    if (cuts.length >= 2 * maxBatchLines) flush()
    else schedule()
  }

  return {
    flush,
    get blocksNewWork() {
      return isBlocked() || (onFailure === 'deny' && !hasRoom())
    },
    accept(record) {
      try {
        if (!isLogged(record.decision)) return
        onRecord()
        if (hasRoom()) add(record)
        else lose()
      } catch {
        // A record that cannot be formatted is a bug, and no reason to fail the request that it is about.
        if (!hasFailedToFormat) onProblem('bug: a record cannot be formatted and is lost')
        hasFailedToFormat = true
        lose()
      }
    },
  }
}

function addTo(lost: RecordsLost | undefined, time: number): RecordsLost {
  return { count: (lost?.count ?? 0) + 1, firstTime: lost?.firstTime ?? time, lastTime: time }
}
