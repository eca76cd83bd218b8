import { PerimeterError } from '../errors.ts'
import { seconds } from '../units.ts'
import { createRecordFormat, type RecordsLost } from './format-record.ts'
import { describeOpenError } from './log-target.ts'
import { createLineSink, type LineSink, type LineSinkOptions } from './line-sink.ts'
import { type LineBatch, numberLines } from './line-batch.ts'
import { isLogged } from './logged-category.ts'
import type { AccessLog, AccessRecord } from './record.ts'

export interface AccessLogOptions {
  /** A path, or `-` for standard output. */
  readonly file: string
  readonly instance: string
  readonly boot: string
  /** `kill -9` loses no more of the tail than this. */
  readonly flushIntervalMs: number
  readonly bufferBytes: number
  /** Whether new work is blocked while records are lost; `OnAuditFailure` of the settings. */
  readonly onFailure: 'deny' | 'continue'
  /** For the operational log: writing fails, records are being lost. Not called for each record. */
  readonly onProblem: (problem: string) => void
  /** Likewise: it works again, there is room again. */
  readonly onRecovery: (news: string) => void
  /** Told when `blocksNewWork` changes. */
  readonly onBlock?: (blocks: boolean) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** For tests. */
  readonly write?: LineSinkOptions['write']
}

export interface AccessLogWriter extends AccessLog {
  /** Numbers and accepts lines that were made elsewhere. */
  acceptLines(batch: LineBatch): void
  /** Records that are lost before they came here. */
  addLost(lost: RecordsLost): void
  /** Resolves when what was accepted so far is written, or when writing it fails. Never rejects. */
  flush(): Promise<void>
  /** For rotation by name; nothing to do for standard output. Never rejects. */
  reopen(): Promise<void>
  /** Writes what it can within `deadlineMs` (default 2 s) and closes. Never rejects. */
  close(deadlineMs?: number): Promise<void>
  /** Records that were not accepted since the start. */
  readonly lost: number
  /** Number of the last record that was accepted. */
  readonly sequence: number
  readonly state: LogState
}

/**
 * How it is with the log: written; not written, but kept; full, so that records are lost and work goes on; full, so that
 * new work is refused.
 */
export const logStates = ['written', 'failing', 'losing', 'refusing'] as const

export type LogState = (typeof logStates)[number]

const closeDeadlineMs = seconds(2)

/**
 * The one writer of the access log. It numbers what it accepts from 1, so (instance, boot, sequence) is the key of a
 * record and a gap is what was accepted and never written. What it cannot accept it counts, and says so in a
 * `records-lost` record before the next one that it accepts.
 *
 * Throws `RF_AUDIT` if the file cannot be opened: without its log a perimeter does not start.
 */
export function createAccessLog(options: AccessLogOptions): AccessLogWriter {
  const { file, flushIntervalMs, bufferBytes, onProblem, onRecovery, onBlock, now, write } = options
  const format = createRecordFormat(options)
  const sink = openSink(file, {
    flushIntervalMs,
    bufferBytes,
    onProblem,
    onRecovery,
    onRoom,
    ...(write === undefined ? {} : { write }),
  })
  const blocks = options.onFailure === 'deny'
  let sequence = 0
  let lost = 0
  /** Lost and not yet reported in the log. */
  let pending: { count: number; firstTime: number; lastTime: number } | undefined
  /** A record has met a full buffer, and there is not much room yet. */
  let isFull = false
  let hasFailedToFormat = false

  function lose(): void {
    const time = now()
    addLost({ count: 1, firstTime: time, lastTime: time })
  }

  function addLost({ count, firstTime, lastTime }: RecordsLost): void {
    lost += count
    pending ??= { count: 0, firstTime, lastTime }
    pending.count += count
    pending.firstTime = Math.min(pending.firstTime, firstTime)
    pending.lastTime = Math.max(pending.lastTime, lastTime)
  }

  /** Whether nothing lost is left to report. */
  function reportLost(): boolean {
    if (pending === undefined) return true
    if (!sink.offer(format.recordsLost(pending, sequence + 1))) return false
    sequence++
    pending = undefined
    return true
  }

  function onRoom(): void {
    if (!reportLost() || !isFull) return
    isFull = false
    onRecovery(`the access log has room again${blocks ? ': new work is let on' : ''}`)
    if (blocks) onBlock?.(false)
  }

  /** The line is of the next number. */
  function take(line: string): void {
    if (sink.offer(line)) {
      sequence++
      return
    }
    lose()
    if (isFull) return
    isFull = true
    onProblem(
      `the access log cannot keep up: records are being lost${blocks ? ', new work is refused' : ''}`,
    )
    if (blocks) onBlock?.(true)
  }

  function accept(record: AccessRecord): void {
    if (!isLogged(record.decision)) return
    reportLost()
    take(format.record(record, sequence + 1))
  }

  return {
    get lost() {
      return lost
    },
    get sequence() {
      return sequence
    },
    get state() {
      if (isFull) return blocks ? 'refusing' : 'losing'
      return sink.problem === undefined ? 'written' : 'failing'
    },
    get blocksNewWork() {
      return isFull && blocks
    },
    accept(record) {
      try {
        accept(record)
      } catch {
        // A record that cannot be formatted is a bug, and no reason to fail the request that it is about.
        if (!hasFailedToFormat) onProblem('bug: a record cannot be formatted and is lost')
        hasFailedToFormat = true
        lose()
      }
    },
    acceptLines(batch) {
      // Rather at once, as long as all of them fit.
      if (reportLost() && sink.offer(numberLines(batch, sequence))) {
        sequence += batch.cuts.length / 2
        return
      }
      const { text, cuts } = batch
      let start = 0
      for (let index = 0; index < cuts.length; index += 2) {
        const [number, end] = [cuts[index], cuts[index + 1]]
        reportLost()
        take(text.slice(start, number) + (sequence + 1) + text.slice(number, end))
        start = end ?? text.length
      }
    },
    addLost(more) {
      addLost(more)
      // Not with the next record: there may be none for long.
      reportLost()
    },
    flush: () => sink.flush(),
    reopen: () => sink.reopen(),
    async close(deadlineMs = closeDeadlineMs) {
      reportLost()
      const unwritten = await sink.close(deadlineMs)
      if (unwritten > 0) onProblem(`the access log closes with ${unwritten} bytes unwritten`)
    },
  }
}

function openSink(file: string, options: Omit<LineSinkOptions, 'target'>): LineSink {
  try {
    return createLineSink({ target: file === '-' ? { standardStream: 1 } : file, ...options })
  } catch (cause) {
    const words = `the access log \`${file}\` cannot be opened: ${describeOpenError(cause)}`
    throw new PerimeterError('RF_AUDIT', words, { cause })
  }
}
