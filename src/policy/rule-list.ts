import { Buffer } from 'node:buffer'
import type { Direction } from '../perimeter/perimeter.ts'
import { assertCurrent, type Epoch } from './arena.ts'
import { lineFeed, type LineKind, lineMarks, type RuleTable } from './rule-table.ts'

/** The rules of a profile, as they were written. Whatever has to be read throws once the tables are gone. */
export interface RuleList {
  /** How many rules there are of a direction. */
  count(direction: Direction): number
  /** Undefined where no rule has this index. */
  nameOf(rule: number): string | undefined
  /** Every rule, and after each its elements, in file order. Each is read when it is asked for. */
  lines(): IterableIterator<RuleLine>
}

export interface RuleLine {
  readonly kind: LineKind
  /** The rule's name, or the element. */
  readonly text: string
}

export function openRuleList(table: RuleTable, epoch: Epoch): RuleList {
  return new TextRuleList(table, epoch)
}

/**
 * Names of rules that matched last; reading one takes longer than deciding. A service has few, and then few are kept: only
 * a profile of which a hundred thousand rules match fills all, with 6 MiB a thread.
 */
const mostKept = 131_072

const lineKinds: ReadonlyMap<number, LineKind> = new Map(
  (
    [
      'Inbound',
      'Outbound',
      'addressPrefixes',
      'subscriptions',
      'serviceTags',
      'fullyQualifiedDomainNames',
    ] as const satisfies readonly LineKind[]
  ).map((kind) => [lineMarks[kind].charCodeAt(0), kind]),
)

class TextRuleList implements RuleList {
  readonly #table: RuleTable
  readonly #epoch: Epoch
  /** The same bytes, for reading text: `TextDecoder` takes no shared memory. */
  readonly #text: Buffer
  readonly #keptRules: Int32Array
  readonly #keptNames: string[] = []

  constructor(table: RuleTable, epoch: Epoch) {
    this.#table = table
    this.#epoch = epoch
    const { buffer, byteOffset, length } = table.text
    this.#text = Buffer.from(buffer, byteOffset, length)
    this.#keptRules = new Int32Array(Math.min(table.starts.length, mostKept)).fill(-1)
  }

  count(direction: Direction): number {
    return direction === 'Inbound' ? this.#table.inbound : this.#table.outbound
  }

  nameOf(rule: number): string | undefined {
    const slot = rule % this.#keptRules.length
    if (this.#keptRules[slot] === rule) return this.#keptNames[slot]
    const start = this.#table.starts[rule]
    if (start === undefined) return undefined
    const name = this.#read(start + 1, this.#endOf(start))
    this.#keptRules[slot] = rule
    this.#keptNames[slot] = name
    return name
  }

  *lines(): IterableIterator<RuleLine> {
    for (let start = 0; start < this.#text.length;) {
      const end = this.#endOf(start)
      const text = this.#read(start + 1, end)
      const kind = lineKinds.get(this.#text[start] ?? 0)
      assertCurrent(this.#epoch)
      if (kind === undefined) throw new Error('a line of the rules has no kind')
      yield { kind, text }
      start = end + 1
    }
  }

  #read(start: number, end: number): string {
    const text = this.#text.toString('latin1', start, end)
    assertCurrent(this.#epoch)
    return text
  }

  #endOf(start: number): number {
    const text = this.#text
    for (let end = start; end < text.length; end++) if (text[end] === lineFeed) return end
    throw new Error('the text of the rules is cut off')
  }
}
