import type { OperationalLog } from '../audit/operational-log.ts'

/** Faults that nobody handled. Each is a bug and is logged as one; the process goes on serving. */
export interface Faults {
  readonly count: number
  /** For the ports that report a fault instead of throwing it. Never throws. */
  report(error: unknown): void
  /** Takes the process's handlers away again. */
  close(): void
}

/**
 * Handles what escapes everywhere. A perimeter that ends because one peer found a bug would let that peer turn it off;
 * what was being decided when it happened has been denied or not been answered.
 */
export function handleFaults(log: OperationalLog): Faults {
  let count = 0
  const report = (error: unknown): void => {
    count++
    try {
      log.error({ err: error }, 'bug: an error that nobody handled')
    } catch {
      // The log itself failed: the counter still says so, and throwing here would end the process.
    }
  }
  process.on('uncaughtException', report)
  process.on('unhandledRejection', report)
  return {
    get count() {
      return count
    },
    report,
    close() {
      process.off('uncaughtException', report)
      process.off('unhandledRejection', report)
    },
  }
}
