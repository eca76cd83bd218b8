import type { IpAddress, Prefix } from '../wire/address.ts'

/** Prefixes and the rule that each belongs to. */
export interface AddressSet {
  /** Lowest index among the rules with a prefix that covers the address, -1 for none. */
  match(address: IpAddress): number
}

export interface AddressEntry {
  readonly prefix: Prefix
  /** Index of the rule, as `match` reports it. */
  readonly rule: number
}
