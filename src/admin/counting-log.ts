import type { AccessLog } from '../audit/record.ts'
import type { RecentDenials } from './denials.ts'
import type { Tally } from './tally.ts'

/** Counts each record on its way into the access log and remembers denials. Adds no failure of its own. */
export function createCountingLog(
  log: AccessLog,
  counters: { readonly tally: Tally; readonly denials: RecentDenials },
): AccessLog {
  return {
    accept(record) {
      log.accept(record)
      counters.tally.decided(record)
      counters.denials.note(record)
    },
    get blocksNewWork() {
      return log.blocksNewWork
    },
  }
}
