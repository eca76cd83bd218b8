import type { OperationalLog } from '../audit/operational-log.ts'

/** Faults that nobody handled. Each is a bug and is logged as one; the process goes on serving. */
export interface Faults {
  readonly count: number
  /** For ports that report a fault instead of throwing it. Never throws. */
  readonly report: (error: unknown) => void
}

export function createFaults(log: OperationalLog): Faults {
  let count = 0
  return {
    get count() {
      return count
    },
    report(error) {
      count++
      try {
        log.error({ err: error }, 'bug: an error that nobody handled')
      } catch {
        // The log itself failed: the counter still says so, and throwing here would end the process.
      }
    },
  }
}

/**
 * Takes what escapes everywhere in this process. A perimeter that ends because one peer found a bug would let that peer
 * turn it off; what was being decided when it happened has been denied or not been answered. Returns what undoes it.
 */
export function keepAlive(faults: Faults): () => void {
  const report = (error: unknown): void => faults.report(error)
  process.on('uncaughtException', report)
  process.on('unhandledRejection', report)
  return () => {
    process.off('uncaughtException', report)
    process.off('unhandledRejection', report)
  }
}
