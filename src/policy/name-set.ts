import type { Hostname, NamePattern } from '../wire/hostname.ts'

/** Names, wildcards and the rule that each belongs to. */
export interface NameSet {
  /** Lowest index among the rules with a pattern that covers the name, -1 for none. */
  match(name: Hostname): number
}

export interface NameEntry {
  readonly pattern: NamePattern
  readonly rule: number
}

/**
 * Compiles name patterns. `*.example.com` covers every name below `example.com`, at any depth, and never the apex
 * (Microsoft is silent on wildcards; this is Ringfence's choice). The cost of a look-up depends on the name alone.
 */
export function compileNameSet(entries: readonly NameEntry[]): NameSet {
  return new SuffixTable(entries)
}

const noRule = -1
const dot = 0x2e
const hashSeed = 0x811c9dc5
const hashPrime = 0x01000193

/**
 * An open-addressing hash table in typed arrays, at most half full. A pattern's key is what must end a name for it to
 * match: `.example.com` for a wildcard, dot included, and the whole of an exact name, which never starts with a dot.
 * Keys are hashed (FNV-1a) from their end, so one walk over a name meets the hashes of all its suffixes.
 */
class SuffixTable implements NameSet {
  /** Entries, counted from 1; 0 is an empty slot. */
  readonly #slots: Int32Array
  readonly #hashes: Int32Array
  readonly #rules: Int32Array
  /** Where the key of an entry starts in the pool, and its length. */
  readonly #starts: Uint32Array
  readonly #lengths: Uint8Array
  /** The keys, one after another, in ASCII. */
  readonly #pool: Uint8Array
  #count = 0
  #poolUsed = 0

  constructor(entries: readonly NameEntry[]) {
    const size = entries.length + 1
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * size)))
    this.#hashes = new Int32Array(size)
    this.#rules = new Int32Array(size)
    this.#starts = new Uint32Array(size)
    this.#lengths = new Uint8Array(size)
    this.#pool = new Uint8Array(entries.reduce((sum, { pattern }) => sum + pattern.length, 0))
    for (const { pattern, rule } of entries) {
      this.#insert(pattern.startsWith('*') ? pattern.slice(1) : pattern, rule)
    }
  }

  match(name: Hostname): number {
    let best = noRule
    let hash = hashSeed
    for (let start = name.length - 1; start >= 0; start--) {
      const code = name.charCodeAt(start)
      hash = Math.imul(hash ^ code, hashPrime)
      if (code !== dot && start !== 0) continue
      const entry = this.#slots[this.#findSlot(name, { start, hash })] ?? 0
      if (entry === 0) continue
      const rule = this.#rules[entry] ?? noRule
      if (best === noRule || rule < best) best = rule
    }
    return best
  }

  #insert(key: string, rule: number): void {
    let hash = hashSeed
    for (let index = key.length - 1; index >= 0; index--) {
      hash = Math.imul(hash ^ key.charCodeAt(index), hashPrime)
    }
    const slot = this.#findSlot(key, { start: 0, hash })
    const known = this.#slots[slot] ?? 0
    if (known !== 0) {
      this.#rules[known] = Math.min(rule, this.#rules[known] ?? rule)
      return
    }
    const entry = ++this.#count
    this.#slots[slot] = entry
    this.#hashes[entry] = hash
    this.#rules[entry] = rule
    this.#starts[entry] = this.#poolUsed
    this.#lengths[entry] = key.length
    for (let index = 0; index < key.length; index++) {
      this.#pool[this.#poolUsed++] = key.charCodeAt(index)
    }
  }

  /** The slot that holds the key `text.slice(start)`, or the empty one where it belongs. */
  #findSlot(text: string, { start, hash }: { start: number; hash: number }): number {
    const mask = this.#slots.length - 1
    let slot = (hash ^ (hash >>> 15)) & mask
    for (;;) {
      const entry = this.#slots[slot] ?? 0
      if (entry === 0) return slot
      if (this.#hashes[entry] === hash && this.#hasKey(entry, { text, start })) return slot
      slot = (slot + 1) & mask
    }
  }

  #hasKey(entry: number, { text, start }: { text: string; start: number }): boolean {
    const length = this.#lengths[entry] ?? 0
    if (length !== text.length - start) return false
    const keyStart = this.#starts[entry] ?? 0
    for (let index = 0; index < length; index++) {
      if (this.#pool[keyStart + index] !== text.charCodeAt(start + index)) return false
    }
    return true
  }
}
