import type { Hostname } from '../wire/hostname.ts'
import { type Arena, assertCurrent, type Epoch } from './arena.ts'

/** Names and wildcards, or subscriptions, and the rule that each belongs to. */
export interface NameSet<Name extends string = Hostname> {
  /** Lowest index among the rules with a pattern that covers the name, -1 for none. Throws once the tables are gone. */
  match(name: Name): number
}

/** A key that stands in the text of the rules. */
export interface NameKey {
  readonly start: number
  readonly length: number
  readonly rule: number
}

/**
 * An open-addressing hash table. A pattern's key is what must end a name for it to match: `.example.com` for a wildcard,
 * dot included, and the whole of an exact name, which never starts with a dot. `*.example.com` covers every name below
 * `example.com`, at any depth, and never the apex (Microsoft is silent on wildcards; this is Ringfence's choice).
 */
export interface NameTable {
  /** See `slotFields`; a power of two of them, and never all in use. */
  readonly slots: Int32Array
  /**
   * One bit for each hash that occurs, about ten bits a key: most suffixes of a name are nobody's key, and this says so from
   * a place small enough to stay in the cache.
   */
  readonly filter: Int32Array
  /** Of FNV-1a. */
  readonly prime: number
}

const noRule = -1
const dot = 0x2e
const hashSeed = 0x811c9dc5
const hashPrime = 0x01000193

/** Fields of a slot: they lie side by side so that a probe touches one line of the cache. */
const slotFields = 4
const hashField = 0
const ruleField = 1
/** Where the key starts in the text. */
const startField = 2
/** Length of the key; 0 for an empty slot. */
const lengthField = 3

/** How full the slots may get. The filter spares most probes for what is not there, so they may be rather full. */
const maxLoad = 0.8
const filterBitsPerSlot = 8
const wordBits = 32
const wordShift = 5

/**
 * Compiles keys of the text. The cost of a look-up depends on the name alone. `prime` is for tests, which make hashes
 * collide.
 */
export function compileNameTable(
  keys: readonly NameKey[],
  given: { readonly text: Uint8Array; readonly arena: Arena; readonly prime?: number },
): NameTable {
  const { text, arena, prime = hashPrime } = given
  const slotCount = 2 ** Math.ceil(Math.log2(keys.length / maxLoad + 1))
  const slots = new Int32Array(slotCount * slotFields)
  const filter = new Int32Array(Math.ceil((slotCount * filterBitsPerSlot) / wordBits))
  const filterMask = slotCount * filterBitsPerSlot - 1
  for (const { start, length, rule } of keys) {
    let hash = hashSeed
    for (let index = start + length - 1; index >= start; index--) {
      hash = Math.imul(hash ^ (text[index] ?? 0), prime)
    }
    const mixed = mix(hash)
    let base = (mixed & (slotCount - 1)) * slotFields
    // There are more slots than keys.
    while (slots[base + lengthField] !== 0) {
      const isSame = slots[base + hashField] === hash && slots[base + lengthField] === length
      if (isSame && isSameText(text, { start, other: slots[base + startField] ?? 0, length })) break
      base = (base + slotFields) & (slots.length - 1)
    }
    const isNew = slots[base + lengthField] === 0
    const word = (mixed & filterMask) >>> wordShift
    filter[word] = (filter[word] ?? 0) | (1 << (mixed & (wordBits - 1)))
    slots[base + hashField] = hash
    slots[base + ruleField] = isNew ? rule : Math.min(rule, slots[base + ruleField] ?? rule)
    slots[base + startField] = start
    slots[base + lengthField] = length
  }
  return { slots: arena.words(slots), filter: arena.words(filter), prime }
}

function isSameText(
  text: Uint8Array,
  {
    start,
    other,
    length,
  }: { readonly start: number; readonly other: number; readonly length: number },
): boolean {
  for (let index = 0; index < length; index++) {
    if (text[start + index] !== text[other + index]) return false
  }
  return true
}

export function openNameSet(
  table: NameTable,
  given: { readonly text: Uint8Array; readonly epoch: Epoch },
): NameSet<string> {
  return new SuffixTable(table, given)
}

/** Reads a table. Keys are hashed from their end, so one walk over a name meets the hashes of all its suffixes. */
class SuffixTable implements NameSet<string> {
  readonly #slots: Int32Array
  readonly #mask: number
  readonly #filter: Int32Array
  readonly #filterMask: number
  readonly #prime: number
  readonly #text: Uint8Array
  readonly #epoch: Epoch

  constructor(
    { slots, filter, prime }: NameTable,
    { text, epoch }: { readonly text: Uint8Array; readonly epoch: Epoch },
  ) {
    const slotCount = slots.length / slotFields
    this.#slots = slots
    this.#mask = slotCount - 1
    this.#filter = filter
    this.#filterMask = slotCount * filterBitsPerSlot - 1
    this.#prime = prime
    this.#text = text
    this.#epoch = epoch
  }

  match(name: string): number {
    assertCurrent(this.#epoch)
    const best = this.#find(name)
    assertCurrent(this.#epoch)
    return best
  }

  #find(name: string): number {
    const slots = this.#slots
    const mask = this.#mask
    const filter = this.#filter
    const filterMask = this.#filterMask
    const prime = this.#prime
    let best = noRule
    let hash = hashSeed
    for (let start = name.length - 1; start >= 0; start--) {
      const code = name.charCodeAt(start)
      hash = Math.imul(hash ^ code, prime)
      if (code !== dot && start !== 0) continue
      const mixed = mix(hash)
      const word = filter[(mixed & filterMask) >>> wordShift] ?? 0
      if ((word & (1 << (mixed & (wordBits - 1)))) === 0) continue
      const length = name.length - start
      // A slot is free, so the second condition never ends it, unless the table is being filled anew.
      for (let slot = mixed & mask, probed = 0; probed <= mask; probed++) {
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

  /** Whether the name ends in the key of the slot; it is at least as long. */
  #endsIn(name: string, base: number): boolean {
    const text = this.#text
    const keyStart = this.#slots[base + startField] ?? 0
    const length = this.#slots[base + lengthField] ?? 0
    const start = name.length - length
    for (let index = 0; index < length; index++) {
      if (text[keyStart + index] !== name.charCodeAt(start + index)) return false
    }
    return true
  }
}

/** Mixes the high bits in: the low ones of FNV-1a alone depend on too little of the key. */
function mix(hash: number): number {
  return hash ^ (hash >>> 15)
}
