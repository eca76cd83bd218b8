import { close, write as writeFile } from 'node:fs'
import { KiB, seconds } from '../units.ts'
import { describeOpenError, type LogTarget, openTarget } from './log-target.ts'

/**
 * Lines on their way to a file or a pipe: collected, bounded, and written in batches, one write at a time. Whatever the
 * other end does (blocks, breaks, fills up, comes back), lines stay whole and in order, and nobody waits.
 */

export interface LineSinkOptions {
  readonly target: LogTarget
  /** A line waits no longer than this before it is written, as long as the target takes it. */
  readonly flushIntervalMs: number
  /** Bytes of lines that are not written yet; what is beyond is not accepted. */
  readonly bufferBytes: number
  /** Told when writing begins to fail, in words for the operational log. */
  readonly onProblem: (problem: string) => void
  /** Likewise when it works again. */
  readonly onRecovery: (news: string) => void
  /** Told when half of the buffer is free again after a line was refused. */
  readonly onRoom: () => void
  /** For tests; default `fs.write`. */
  readonly write?: WriteFile
}

type WriteFile = (
  fd: number,
  bytes: Buffer,
  offset: number,
  length: number,
  position: null,
  callback: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void

export interface LineSink {
  /** Takes ASCII lines, each with its line feed, or refuses them all. */
  offer(line: string): boolean
  /** Resolves when what was offered so far is written, or when writing it fails. Never rejects. */
  flush(): Promise<void>
  /** Opens the target again, for rotation. The line being written ends where it began. Resolves when it is swapped. */
  reopen(): Promise<void>
  /** Takes no more, writes what it can within the deadline, closes. Resolves with the bytes that stay unwritten. */
  close(deadlineMs: number): Promise<number>
  /** Why writing fails at present; undefined while it works. */
  readonly problem: string | undefined
}

/** Enough for one write where writing keeps up. */
const batchBytes = 64 * KiB

/**
 * What has piled up is written in larger pieces. The end of a write is heard of once a turn of the loop, and a turn under
 * load may take tens of milliseconds: 64 KiB a turn would be less than comes. Two megabytes take a turn two milliseconds.
 */
const maxBatchesPerWrite = 32

/**
 * Tried again soon, then later and later. A pipe holds 64 KiB, so the first of these limits what a reader that keeps up
 * gets (60,000 records a second), and the last how long a target that works again waits.
 */
const firstRetryMs = 1
const lastRetryMs = seconds(1)

/** Not failures: the target is slow. */
const busyCodes: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'EINTR'])

const lineFeed = 0x0a

/** Opens the target; throws what opening throws. */
export function createLineSink(options: LineSinkOptions): LineSink {
  const {
    target,
    flushIntervalMs,
    bufferBytes,
    onProblem,
    onRecovery,
    onRoom,
    write = writeFile,
  } = options
  let open = openTarget(target)
  /** Batches that are full, oldest first; and the one that is filling. */
  const full: string[] = []
  let filling = ''
  /** The batch being written, and how much of it is. */
  let batch: Buffer | undefined
  let written = 0
  let unwrittenBytes = 0
  let offeredBytes = 0
  let state: 'idle' | 'writing' | 'retrying' = 'idle'
  /** The filling batch has waited long enough. */
  let due = false
  let flushTimer: NodeJS.Timeout | undefined
  let retryTimer: NodeJS.Timeout | undefined
  let retryMs = firstRetryMs
  let refused = false
  let closed = false
  let problem: string | undefined
  let replacement: typeof open | undefined
  /** Where a torn line precedes what is written next, it ends here. */
  let lead = open.torn ? '\n' : ''
  let waiters: { readonly position: number; readonly done: () => void }[] = []

  function step(): void {
    clearTimeout(retryTimer)
    if (batch === undefined) {
      if (replacement !== undefined) swap()
      let text = full.splice(0, maxBatchesPerWrite).join('')
      if (text === '') {
        text = filling
        filling = ''
        due = false
        clearTimeout(flushTimer)
        flushTimer = undefined
      }
      if (text === '') {
        state = 'idle'
        return
      }
      batch = Buffer.from(lead + text, 'latin1')
      unwrittenBytes += lead.length
      offeredBytes += lead.length
      lead = ''
      written = 0
    }
    state = 'writing'
    write(open.fd, batch, written, batch.length - written, null, onWritten)
  }

  function onWritten(error: NodeJS.ErrnoException | null, count: number): void {
    if (error !== null || count === 0) {
      failed(error)
      return
    }
    written += count
    unwrittenBytes -= count
    retryMs = firstRetryMs
    if (problem !== undefined) {
      problem = undefined
      onRecovery('the access log is written again')
    }
    if (batch !== undefined && written === batch.length) batch = undefined
    release(offeredBytes - unwrittenBytes)
    if (refused && unwrittenBytes <= bufferBytes / 2) {
      refused = false
      onRoom()
    }
    if (batch !== undefined || full.length > 0 || due) step()
    else state = 'idle'
  }

  function failed(error: NodeJS.ErrnoException | null): void {
    if (error !== null && !busyCodes.has(error.code)) {
      if (problem === undefined) onProblem(`the access log cannot be written: ${error.code}`)
      problem = error.code ?? 'unknown'
      if (replacement !== undefined) swap()
      release(Number.POSITIVE_INFINITY)
    }
    state = 'retrying'
    // A log that cannot be written must not keep the process alive; `close` has a deadline of its own.
    retryTimer = setTimeout(step, retryMs).unref()
    retryMs = Math.min(2 * retryMs, lastRetryMs)
  }

  /** Goes over to the target that `reopen` opened: a line that is written in part begins anew there. */
  function swap(): void {
    if (replacement === undefined) return
    if (batch !== undefined && written > 0) {
      const begun = batch.lastIndexOf(lineFeed, written - 1) + 1
      unwrittenBytes += written - begun
      written = begun
    }
    if (replacement.torn) lead = '\n'
    if (batch !== undefined && lead !== '') {
      batch = Buffer.concat([Buffer.from(lead), batch.subarray(written)])
      written = 0
      unwrittenBytes += lead.length
      offeredBytes += lead.length
      lead = ''
    }
    closeOwned(open)
    open = replacement
    replacement = undefined
    retryMs = firstRetryMs
  }

  function release(position: number): void {
    const ready = waiters.filter((waiter) => waiter.position <= position)
    waiters = waiters.filter((waiter) => waiter.position > position)
    for (const { done } of ready) done()
  }

  function onFlushTimer(): void {
    flushTimer = undefined
    due = true
    if (state === 'idle') step()
  }

  const sink = {
    get problem() {
      return problem
    },
    offer(line: string): boolean {
      // INVARIANT (a refused line has others before it): their writing is what tells of room.
      if (closed || (unwrittenBytes > 0 && unwrittenBytes + line.length > bufferBytes)) {
        refused = true
        return false
      }
      filling += line
      unwrittenBytes += line.length
      offeredBytes += line.length
      if (filling.length >= batchBytes) {
        full.push(filling)
        filling = ''
        if (state === 'idle') step()
      } else if (flushTimer === undefined && !due) {
        flushTimer = setTimeout(onFlushTimer, flushIntervalMs)
      }
      return true
    },
    flush(): Promise<void> {
      if (unwrittenBytes === 0) return Promise.resolve()
      return new Promise((resolve) => {
        waiters.push({ position: offeredBytes, done: resolve })
        due = true
        if (state !== 'writing') step()
      })
    },
    async reopen(): Promise<void> {
      if (closed || typeof target !== 'string') return
      try {
        const opened = openTarget(target)
        if (replacement !== undefined) closeOwned(replacement)
        replacement = opened
      } catch (error) {
        onProblem(`the access log cannot be opened again: ${describeOpenError(error)}`)
        return
      }
      if (state === 'idle') swap()
      await sink.flush()
    },
    async close(deadlineMs: number): Promise<number> {
      closed = true
      const deadline = Promise.withResolvers<void>()
      const deadlineTimer = setTimeout(deadline.resolve, deadlineMs)
      await Promise.race([sink.flush(), deadline.promise])
      clearTimeout(deadlineTimer)
      clearTimeout(flushTimer)
      clearTimeout(retryTimer)
      if (state !== 'writing') closeOwned(open)
      return unwrittenBytes
    },
  }
  return sink
}

function closeOwned({ fd, owned }: { readonly fd: number; readonly owned: boolean }): void {
  // What was written is with the system; there is nothing to do about a close that fails.
  if (owned) close(fd, () => undefined)
}
