import type { IpAddress } from '../wire/address.ts'
import type { Arena, Epoch } from './arena.ts'
import { compileTrie, IntervalTrie, type TrieTable } from './interval-trie.ts'
import { type AddressEntry, compileIntervals } from './prefix-intervals.ts'

/** Prefixes and the rule that each belongs to. */
export interface AddressSet {
  /** Lowest index among the rules with a prefix that covers the address, -1 for none. Throws once the tables are gone. */
  match(address: IpAddress): number
}

export interface AddressTable {
  readonly ipv4: TrieTable
  readonly ipv6: TrieTable
}

const ipv4Bytes = 4
const ipv6Bytes = 16

/**
 * Compiles prefixes of both families. An IPv4 address matches IPv4 prefixes alone; a mapped one is the IPv4 already
 * when it gets here. The cost of a look-up depends on the length of an address, not on the number of prefixes.
 */
export function compileAddressTable(entries: readonly AddressEntry[], arena: Arena): AddressTable {
  const compileFamily = (width: number): TrieTable => {
    const ofFamily = entries.filter(({ prefix }) => prefix.bytes.length === width)
    return compileTrie(compileIntervals(ofFamily, width), arena)
  }
  return { ipv4: compileFamily(ipv4Bytes), ipv6: compileFamily(ipv6Bytes) }
}

export function openAddressSet(table: AddressTable, epoch: Epoch): AddressSet {
  const ipv4 = new IntervalTrie(table.ipv4, epoch)
  const ipv6 = new IntervalTrie(table.ipv6, epoch)
  return Object.freeze({
    match: ({ bytes }: IpAddress) => (bytes.length === ipv4Bytes ? ipv4 : ipv6).find(bytes),
  })
}
