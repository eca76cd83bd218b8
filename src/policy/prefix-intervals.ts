import type { Prefix } from '../wire/address.ts'

/** A prefix and the rule that it belongs to. */
export interface AddressEntry {
  readonly prefix: Prefix
  /** Index of the rule, as it is reported. */
  readonly rule: number
}

/**
 * Prefixes flattened: the address space of one family, cut where the lowest covering rule changes. Interval `i` reaches
 * from boundary `i - 1` up to, but not including, boundary `i`; the first starts at zero, the last ends at the top.
 */
export interface Intervals {
  /** Bytes of an address: 4 or 16. */
  readonly width: number
  /** Boundaries, ascending, `width` bytes each. */
  readonly boundaries: Uint8Array
  /** One more than boundaries: the lowest rule of each interval, -1 for none. */
  readonly rules: Int32Array
}

const noRule = -1

/**
 * Flattens prefixes of one family. Prefixes nest or are apart, so one sweep over them in order of start and length
 * needs only the stack of those that are open, and carries the minimum of their rules down it.
 */
export function compileIntervals(entries: readonly AddressEntry[], width: number): Intervals {
  const output = new IntervalWriter(width, 2 * entries.length)
  const open: { readonly end: Uint8Array | undefined; readonly rule: number }[] = []

  const closeUpTo = (start: Uint8Array | undefined): void => {
    for (let inner = open.at(-1); inner !== undefined; inner = open.at(-1)) {
      if (start !== undefined && (inner.end === undefined || compare(inner.end, start) > 0)) return
      open.pop()
      if (inner.end !== undefined) output.cut(inner.end, open.at(-1)?.rule ?? noRule)
    }
  }

  for (const index of sortByPrefix(entries, width)) {
    const entry = entries[index]
    if (entry === undefined) continue
    const { prefix } = entry
    closeUpTo(prefix.bytes)
    const rule = Math.min(entry.rule, open.at(-1)?.rule ?? entry.rule)
    open.push({ end: findEnd(prefix), rule })
    output.cut(prefix.bytes, rule)
  }
  closeUpTo(undefined)
  return output.finish()
}

/** Appends boundaries in ascending order; one that changes nothing is left out. */
class IntervalWriter {
  readonly #width: number
  readonly #boundaries: Uint8Array
  readonly #rules: Int32Array
  #count = 0

  constructor(width: number, capacity: number) {
    this.#width = width
    this.#boundaries = new Uint8Array(capacity * width)
    this.#rules = new Int32Array(capacity + 1).fill(noRule)
  }

  /** From `boundary` on, `rule` is the lowest. The last of several at one boundary counts. */
  cut(boundary: Uint8Array, rule: number): void {
    if (this.#isLast(boundary)) this.#count--
    if (this.#rules[this.#count] === rule) return
    const start = this.#count * this.#width
    for (let index = 0; index < this.#width; index++) {
      this.#boundaries[start + index] = boundary[index] ?? 0
    }
    this.#count++
    this.#rules[this.#count] = rule
  }

  finish(): Intervals {
    return {
      width: this.#width,
      boundaries: this.#boundaries.slice(0, this.#count * this.#width),
      rules: this.#rules.slice(0, this.#count + 1),
    }
  }

  #isLast(boundary: Uint8Array): boolean {
    if (this.#count === 0) return false
    const start = (this.#count - 1) * this.#width
    for (let index = 0; index < this.#width; index++) {
      if (this.#boundaries[start + index] !== boundary[index]) return false
    }
    return true
  }
}

/** The first address after the prefix; undefined where it reaches the top of the address space. */
function findEnd({ bytes, length }: Prefix): Uint8Array | undefined {
  const end = bytes.slice()
  const lastBit = length - 1
  let carry = 1 << (7 - (lastBit & 7))
  for (let index = lastBit >> 3; index >= 0; index--) {
    const sum = (end[index] ?? 0) + carry
    end[index] = sum & 0xff
    if (sum <= 0xff) return end
    carry = 1
  }
  return undefined
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < a.length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Indexes of the prefixes by first address, then by length: a radix sort, one stable pass for each byte of the key. */
function sortByPrefix(entries: readonly AddressEntry[], width: number): Uint32Array {
  let order = new Uint32Array(entries.length)
  for (let index = 0; index < order.length; index++) order[index] = index
  let spare = new Uint32Array(entries.length)
  const keys = new Uint8Array(entries.length)
  for (let column = width; column >= 0; column--) {
    const next = new Uint32Array(257)
    let index = 0
    for (const { prefix } of entries) {
      const key = column === width ? prefix.length : (prefix.bytes[column] ?? 0)
      keys[index++] = key
      next[key + 1] = (next[key + 1] ?? 0) + 1
    }
    // A byte that all have in common sorts nothing: most of the columns of IPv6 prefixes are such.
    if (next.includes(entries.length)) continue
    for (let key = 1; key < next.length; key++) next[key] = (next[key] ?? 0) + (next[key - 1] ?? 0)
    for (const index of order) {
      const key = keys[index] ?? 0
      const position = next[key] ?? 0
      spare[position] = index
      next[key] = position + 1
    }
    ;[order, spare] = [spare, order]
  }
  return order
}
