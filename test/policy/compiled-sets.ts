import {
  type AddressSet,
  compileAddressTable,
  openAddressSet,
} from '../../src/policy/address-set.ts'
import {
  type Arena,
  type ArenaWriter,
  beginArena,
  createArenaBuffer,
  createPrivateArena,
} from '../../src/policy/arena.ts'
import {
  compileNameTable,
  type NameKey,
  type NameSet,
  openNameSet,
} from '../../src/policy/name-set.ts'
import type { AddressEntry } from '../../src/policy/prefix-intervals.ts'
import { RuleTextWriter } from '../../src/policy/rule-table.ts'

/** Sets compiled by themselves, without a policy around them. */

export interface NameEntry {
  readonly pattern: string
  readonly rule: number
}

/** `prime` 0 gives every name one hash. */
export function nameSetOf(
  entries: readonly NameEntry[],
  options: { readonly arena?: Arena; readonly prime?: number } = {},
): NameSet<string> {
  const { arena = createPrivateArena(), ...rest } = options
  const writer = new RuleTextWriter()
  const keys = entries.map(({ pattern, rule }): NameKey => {
    const star = pattern.startsWith('*') ? 1 : 0
    const start = writer.element('fullyQualifiedDomainNames', pattern) + star
    return { start, length: pattern.length - star, rule }
  })
  const table = compileNameTable(keys, { text: writer.text, arena, ...rest })
  return openNameSet(table, { text: writer.finish(arena).text, epoch: arena.epoch })
}

export function addressSetOf(
  entries: readonly AddressEntry[],
  arena: Arena = createPrivateArena(),
): AddressSet {
  return openAddressSet(compileAddressTable(entries, arena), arena.epoch)
}

/** Builds something in a new shared arena, which is finished then. */
export function inSharedArena<Built>(build: (arena: ArenaWriter) => Built): Built {
  const arena = beginArena(createArenaBuffer(), 1)
  const built = build(arena)
  arena.finish()
  return built
}
