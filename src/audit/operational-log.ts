import { type Level, type Logger, pino } from 'pino'
import { MiB } from '../units.ts'
import { openTarget } from './log-target.ts'

/** The operational log: what happens to the process, never mixed into the access log. */
export type OperationalLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

/** Beyond this, lines for a standard error that nobody reads are dropped. */
const maxWaitingBytes = 1 * MiB

/**
 * JSON lines to standard error, without waiting for it: a reader that stops or goes away costs lines, never a request.
 * What waits is written when the process exits.
 */
export function createOperationalLog({
  level,
}: {
  readonly level: Level | 'silent'
}): OperationalLog {
  const { fd } = openTarget({ standardStream: 2 })
  // `dest`, not `fd`: without it pino touches standard output, which belongs to the access log.
  const destination = pino.destination({ dest: fd, sync: false, maxLength: maxWaitingBytes })
  // Without a listener, EPIPE would be an uncaught exception.
  destination.on('error', () => undefined)
  return pino({ level, base: null }, destination)
}
