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

/** Fields of a slot: they lie side by side so that a probe touches one line of the cache. */
const slotFields = 4
const hashField = 0
const ruleField = 1
/** Where the key starts in the pool. */
const startField = 2
/** Length of the key; 0 for an empty slot. */
const lengthField = 3

/** How full the slots may get. The filter spares most probes for what is not there, so they may be rather full. */
const maxLoad = 0.8
const filterBitsPerSlot = 8
const wordBits = 32
const wordShift = 5

/**
 * An open-addressing hash table in typed arrays. A pattern's key is what must end a name for it to
 * match: `.example.com` for a wildcard, dot included, and the whole of an exact name, which never starts with a dot.
 * Keys are hashed (FNV-1a) from their end, so one walk over a name meets the hashes of all its suffixes.
 */
class SuffixTable implements NameSet {
  readonly #slots: Int32Array
  readonly #mask: number
  /**
   * One bit for each hash that occurs, about ten bits a key: most suffixes of a name are nobody's key, and this says so from
   * a place small enough to stay in the cache.
   */
  readonly #filter: Uint32Array
  readonly #filterMask: number
  /** The keys, one after another, in ASCII. */
  readonly #pool: Uint8Array
  #poolUsed = 0

  constructor(entries: readonly NameEntry[]) {
    const slotCount = 2 ** Math.ceil(Math.log2(entries.length / maxLoad + 1))
    this.#slots = new Int32Array(slotCount * slotFields)
    this.#mask = slotCount - 1
    this.#filter = new Uint32Array(Math.ceil((slotCount * filterBitsPerSlot) / wordBits))
    this.#filterMask = slotCount * filterBitsPerSlot - 1
    this.#pool = new Uint8Array(entries.reduce((sum, { pattern }) => sum + pattern.length, 0))
    for (const { pattern, rule } of entries) {
      this.#insert(pattern.startsWith('*') ? pattern.slice(1) : pattern, rule)
    }
  }

  match(name: Hostname): number {
    const slots = this.#slots
    const mask = this.#mask
    const filter = this.#filter
    const filterMask = this.#filterMask
    let best = noRule
    let hash = hashSeed
    for (let start = name.length - 1; start >= 0; start--) {
      const code = name.charCodeAt(start)
      hash = Math.imul(hash ^ code, hashPrime)
      if (code !== dot && start !== 0) continue
      const mixed = mix(hash)
      const word = filter[(mixed & filterMask) >>> wordShift] ?? 0
      if ((word & (1 << (mixed & (wordBits - 1)))) === 0) continue
      const length = name.length - start
      let slot = mixed & mask
      for (;;) {
        const base = slot * slotFields
        const keyLength = slots[base + lengthField] ?? 0
        if (keyLength === 0) break
        if (slots[base + hashField] === hash && keyLength === length && this.#endsIn(name, base)) {
          const rule = slots[base + ruleField] ?? noRule
          if (best === noRule || rule < best) best = rule
          break
        }
        slot = (slot + 1) & mask
      }
    }
    return best
  }

  #insert(key: string, rule: number): void {
    const slots = this.#slots
    let hash = hashSeed
    for (let index = key.length - 1; index >= 0; index--) {
      hash = Math.imul(hash ^ key.charCodeAt(index), hashPrime)
    }
    const mixed = mix(hash)
    let base = (mixed & this.#mask) * slotFields
    while (slots[base + lengthField] !== 0) {
      const isSame = slots[base + hashField] === hash && slots[base + lengthField] === key.length
      if (isSame && this.#endsIn(key, base)) {
        slots[base + ruleField] = Math.min(rule, slots[base + ruleField] ?? rule)
        return
      }
      base = (base + slotFields) & (slots.length - 1)
    }
    const word = (mixed & this.#filterMask) >>> wordShift
    this.#filter[word] = (this.#filter[word] ?? 0) | (1 << (mixed & (wordBits - 1)))
    slots[base + hashField] = hash
    slots[base + ruleField] = rule
    slots[base + startField] = this.#poolUsed
    slots[base + lengthField] = key.length
    for (let index = 0; index < key.length; index++) {
      this.#pool[this.#poolUsed++] = key.charCodeAt(index)
    }
  }

  /** Whether the text ends in the key of the slot; it is at least as long. */
  #endsIn(text: string, base: number): boolean {
    const pool = this.#pool
    const keyStart = this.#slots[base + startField] ?? 0
    const length = this.#slots[base + lengthField] ?? 0
    const start = text.length - length
    for (let index = 0; index < length; index++) {
      if (pool[keyStart + index] !== text.charCodeAt(start + index)) return false
    }
    return true
  }
}

/** Mixes the high bits in: the low ones of FNV-1a alone depend on too little of the key. */
function mix(hash: number): number {
  return hash ^ (hash >>> 15)
}
