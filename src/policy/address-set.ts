import type { IpAddress } from '../wire/address.ts'
import { type AddressEntry, compileIntervals } from './prefix-intervals.ts'
import { IntervalTrie } from './interval-trie.ts'

/** Prefixes and the rule that each belongs to. */
export interface AddressSet {
  /** Lowest index among the rules with a prefix that covers the address, -1 for none. */
  match(address: IpAddress): number
}

const ipv4Bytes = 4
const ipv6Bytes = 16

/**
 * Compiles prefixes of both families. An IPv4 address matches IPv4 prefixes alone; a mapped one is the IPv4 already
 * when it gets here. The cost of a look-up depends on the length of an address, not on the number of prefixes.
 */
export function compileAddressSet(entries: readonly AddressEntry[]): AddressSet {
  const ipv4 = compileFamily(entries, ipv4Bytes)
  const ipv6 = compileFamily(entries, ipv6Bytes)
  return Object.freeze({
    match: ({ bytes }: IpAddress) => (bytes.length === ipv4Bytes ? ipv4 : ipv6).find(bytes),
  })
}

function compileFamily(entries: readonly AddressEntry[], width: number): IntervalTrie {
  const ofFamily = entries.filter(({ prefix }) => prefix.bytes.length === width)
  return new IntervalTrie(compileIntervals(ofFamily, width))
}
