import { PerimeterError } from '../errors.ts'
import { seconds } from '../units.ts'
import { createRecordFormat } from './format-record.ts'
import { createLineSink, type LineSink, type LineSinkOptions } from './line-sink.ts'
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
  /** For the operational log: writing fails, works again, records were lost. Not called for each record. */
  readonly onProblem: (problem: string) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** For tests. */
  readonly write?: LineSinkOptions['write']
}

export interface AccessLogWriter extends AccessLog {
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
  /** Why writing fails at present; undefined while it works. */
  readonly problem: string | undefined
}

const closeDeadlineMs = seconds(2)

/**
 * The one writer of the access log. It numbers what it accepts from 1, so (instance, boot, sequence) is the key of a
 * record and a gap is what was accepted and never written. What it cannot accept it counts, and says so in a
 * `records-lost` record before the next one that it accepts.
 *
 * Throws `RF_AUDIT` if the file cannot be opened: without its log a perimeter does not start.
 */
export function createAccessLog(options: AccessLogOptions): AccessLogWriter {
  const { file, flushIntervalMs, bufferBytes, onProblem, now, write } = options
  const format = createRecordFormat(options)
  const sink = openSink(file, {
    flushIntervalMs,
    bufferBytes,
    onProblem,
    onRoom: reportLost,
    ...(write === undefined ? {} : { write }),
  })
  let sequence = 0
  let lost = 0
  /** Lost and not yet reported in the log. */
  let pending: { count: number; firstTime: number; lastTime: number } | undefined

  function lose(): void {
    const time = now()
    lost++
    if (pending === undefined) {
      pending = { count: 1, firstTime: time, lastTime: time }
      onProblem('the access log cannot keep up: records are being lost')
    } else {
      pending.count++
      pending.lastTime = time
    }
  }

  /** Whether nothing lost is left to report. */
  function reportLost(): boolean {
    if (pending === undefined) return true
    if (!sink.offer(format.recordsLost(pending, sequence + 1))) return false
    sequence++
    pending = undefined
    return true
  }

  function accept(record: AccessRecord): void {
    if (!isLogged(record.decision)) return
    if (reportLost() && sink.offer(format.record(record, sequence + 1))) sequence++
    else lose()
  }

  return {
    get lost() {
      return lost
    },
    get sequence() {
      return sequence
    },
    get problem() {
      return sink.problem
    },
    accept(record) {
      try {
        accept(record)
      } catch {
        // A record that cannot be formatted is a bug, and no reason to fail the request that it is about.
        lose()
      }
    },
    flush: () => sink.flush(),
    reopen: () => sink.reopen(),
    async close(deadlineMs = closeDeadlineMs) {
      const unwritten = await sink.close(deadlineMs)
      if (unwritten > 0) onProblem(`the access log closes with ${unwritten} bytes unwritten`)
    },
  }
}

function openSink(file: string, options: Omit<LineSinkOptions, 'target'>): LineSink {
  try {
    return createLineSink({ target: file === '-' ? { standardStream: 1 } : file, ...options })
  } catch (cause) {
    throw new PerimeterError('RF_AUDIT', `the access log \`${file}\` cannot be opened`, { cause })
  }
}
