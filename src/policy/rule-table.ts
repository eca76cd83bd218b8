import { Buffer } from 'node:buffer'
import { PerimeterError } from '../errors.ts'
import type { AccessRule, Direction } from '../perimeter/perimeter.ts'
import type { Arena } from './arena.ts'

/**
 * The rules of a profile as one text: each a line that begins with its direction, and a line for each element that
 * counts. The look-up tables point into it, and whoever asks for a rule's name or its elements reads them here.
 *
 *   >office            a rule that lets in         <payments          one that lets out
 *   @203.0.113.0/24    a prefix of it              #*.vault.example   a name of it
 *   $2222…             a subscription of it
 */
export interface RuleTable {
  /** Printable ASCII and line feeds. */
  readonly text: Uint8Array
  /** Where the line of each rule begins. */
  readonly starts: Int32Array
  readonly inbound: number
  readonly outbound: number
}

export type ElementKind = keyof Pick<
  AccessRule,
  'addressPrefixes' | 'subscriptions' | 'serviceTags' | 'fullyQualifiedDomainNames'
>

/** A rule's own line has its direction for a kind. */
export type LineKind = Direction | ElementKind

/** The first character of a line. */
export const lineMarks = {
  Inbound: '>',
  Outbound: '<',
  addressPrefixes: '@',
  subscriptions: '$',
  serviceTags: '&',
  fullyQualifiedDomainNames: '#',
} as const satisfies Record<LineKind, string>

export const lineFeed = 0x0a

const printable = /^[\x20-\x7e]*$/
const firstCapacity = 4096

/** Appends rules and their elements. */
export class RuleTextWriter {
  #text = Buffer.allocUnsafeSlow(firstCapacity)
  #used = 0
  readonly #starts: number[] = []
  readonly #counts: Record<Direction, number> = { Inbound: 0, Outbound: 0 }

  rule(direction: Direction, name: string): void {
    this.#starts.push(this.#used)
    this.#counts[direction]++
    this.#line(direction, name)
  }

  /** An element of the last rule; returns where it begins in the text. */
  element(kind: ElementKind, text: string): number {
    return this.#line(kind, text)
  }

  /** What was written so far, which the tables made from it point into. */
  get text(): Uint8Array {
    return this.#text.subarray(0, this.#used)
  }

  finish(arena: Arena): RuleTable {
    return {
      text: arena.bytes(Uint8Array.from(this.text)),
      starts: arena.words(Int32Array.from(this.#starts)),
      inbound: this.#counts.Inbound,
      outbound: this.#counts.Outbound,
    }
  }

  /** @throws PerimeterError `RF_POLICY` for what is not printable ASCII. */
  #line(kind: LineKind, text: string): number {
    // THREAT: a line feed would make two lines of one, and what does not fit a byte would lose its upper half. Either could
    // come to name what nobody allowed.
    if (!printable.test(text)) {
      throw new PerimeterError('RF_POLICY', `\`${JSON.stringify(text)}\` is not plain ASCII`)
    }
    const start = this.#used + 1
    const end = start + text.length
    if (end >= this.#text.length) this.#grow(end + 1)
    this.#text.write(lineMarks[kind], this.#used, 'latin1')
    this.#text.write(text, start, 'latin1')
    this.#text[end] = lineFeed
    this.#used = end + 1
    return start
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * needed)
    larger.set(this.text)
    this.#text = larger
  }
}
