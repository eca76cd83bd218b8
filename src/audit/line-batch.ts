import type { RecordsLost } from './format-record.ts'

/** Lines of the access log on their way from the thread that made them to the one that numbers and writes them. */
export interface LineBatch {
  /** The lines, one after the other, each without its number. */
  readonly text: string
  /** For each line, where in the text its number belongs, and where it ends. */
  readonly cuts: readonly number[]
  /** Records that were lost before this batch; undefined for none. */
  readonly lost: RecordsLost | undefined
}
