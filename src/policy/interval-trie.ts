import { type Arena, assertCurrent, type Epoch } from './arena.ts'
import type { Intervals } from './prefix-intervals.ts'

/** Up to so many boundaries are searched by halving, in six steps; a node for fewer would cost more memory than they do. */
const bucketSize = 64

/** One slot for each value of a byte, and one for the end of the last. */
const slotsPerNode = 257

/**
 * A trie over the boundaries of intervals, eight bits a level. A node covers the boundaries that share the bytes before
 * its depth and tells them apart by the byte at its depth; bytes in which all of them agree have no node (path
 * compression). A look-up visits at most one node for each byte of an address, then halves one bucket.
 */
export interface TrieTable extends Intervals {
  /** Index of the root, or -1 where one bucket holds everything. */
  readonly root: number
  /** For each node its slots: the first boundary of the slot's bucket, or the complement of a node's index. */
  readonly slots: Int32Array
  /** For each node its first boundary. */
  readonly firsts: Int32Array
  /** For each node the byte that it looks at. */
  readonly depths: Uint8Array
}

export function compileTrie(intervals: Intervals, arena: Arena): TrieTable {
  const nodes: TrieNode[] = []
  const { width, boundaries, rules } = intervals
  const count = rules.length - 1
  const root =
    count <= bucketSize ? -1 : addNode(nodes, { intervals, from: 0, to: count, depth: 0 })
  const slots = new Int32Array(nodes.length * slotsPerNode)
  for (const [index, node] of nodes.entries()) slots.set(node.slots, index * slotsPerNode)
  return {
    width,
    boundaries: arena.bytes(boundaries),
    rules: arena.words(rules),
    root,
    slots: arena.words(slots),
    firsts: arena.words(Int32Array.from(nodes, ({ first }) => first)),
    depths: arena.bytes(Uint8Array.from(nodes, ({ depth }) => depth)),
  }
}

/** Reads a table. Its fields are its own: a look-up finds them in one place. */
export class IntervalTrie {
  readonly #width: number
  readonly #boundaries: Uint8Array
  readonly #rules: Int32Array
  readonly #root: number
  readonly #slots: Int32Array
  readonly #firsts: Int32Array
  readonly #depths: Uint8Array
  readonly #epoch: Epoch

  constructor(table: TrieTable, epoch: Epoch) {
    this.#width = table.width
    this.#boundaries = table.boundaries
    this.#rules = table.rules
    this.#root = table.root
    this.#slots = table.slots
    this.#firsts = table.firsts
    this.#depths = table.depths
    this.#epoch = epoch
  }

  /**
   * The lowest rule that covers the address, -1 for none. The address has the width of the intervals. Throws once the
   * tables are gone.
   */
  find(address: Uint8Array): number {
    assertCurrent(this.#epoch)
    const rule = this.#find(address)
    assertCurrent(this.#epoch)
    return rule
  }

  #find(address: Uint8Array): number {
    const width = this.#width
    const boundaries = this.#boundaries
    const rules = this.#rules
    let from = 0
    let to = rules.length - 1
    let depth = 0
    // No node looks beyond the address, so the second condition never ends it, unless the table is being filled anew.
    for (let node = this.#root; node >= 0 && depth < width; depth++) {
      const nodeDepth = this.#depths[node] ?? 0
      for (; depth < nodeDepth; depth++) {
        const difference = (address[depth] ?? 0) - (boundaries[from * width + depth] ?? 0)
        if (difference < 0) return rules[from] ?? -1
        if (difference > 0) return rules[to] ?? -1
      }
      const slot = node * slotsPerNode + (address[depth] ?? 0)
      const next = this.#slots[slot + 1] ?? 0
      to = next >= 0 ? next : (this.#firsts[~next] ?? 0)
      const entry = this.#slots[slot] ?? 0
      node = ~entry
      from = entry >= 0 ? entry : (this.#firsts[node] ?? 0)
    }
    while (from < to) {
      const middle = (from + to) >>> 1
      const start = middle * width
      // They agree in the bytes before `depth`.
      let index = depth
      while (index < width && boundaries[start + index] === address[index]) index++
      const isAtMost = index === width || (boundaries[start + index] ?? 0) < (address[index] ?? 0)
      if (isAtMost) from = middle + 1
      else to = middle
    }
    return rules[from] ?? -1
  }
}

interface TrieNode {
  readonly slots: Int32Array
  readonly first: number
  readonly depth: number
}

/** Appends the node of more boundaries than a bucket holds, and all below it; returns its index. */
function addNode(
  nodes: TrieNode[],
  range: { readonly intervals: Intervals; from: number; to: number; depth: number },
): number {
  const { intervals, from, to } = range
  const { width, boundaries } = intervals
  const byteOf = (boundary: number, depth: number): number =>
    boundaries[boundary * width + depth] ?? 0

  let { depth } = range
  while (byteOf(from, depth) === byteOf(to - 1, depth)) depth++

  const slots = new Int32Array(slotsPerNode)
  const index = nodes.push({ slots, first: from, depth }) - 1
  let next = from
  for (let byte = 0; byte < slotsPerNode - 1; byte++) {
    const first = next
    while (next < to && byteOf(next, depth) === byte) next++
    slots[byte] =
      next - first <= bucketSize
        ? first
        : ~addNode(nodes, { intervals, from: first, to: next, depth: depth + 1 })
  }
  slots[slotsPerNode - 1] = to
  return index
}
