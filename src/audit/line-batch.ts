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

/** All lines with their numbers, which go on from `last`. */
export function numberLines({ text, cuts }: LineBatch, last: number): string {
  let numbered = ''
  let start = 0
  let number = last
  for (let index = 0; index < cuts.length; index += 2) {
    const cut = cuts[index]
    numbered += text.slice(start, cut) + ++number
    start = cut ?? start
  }
  return numbered + text.slice(start)
}
