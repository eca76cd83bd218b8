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
