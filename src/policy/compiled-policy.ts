import type { Guid } from '../perimeter/guid.ts'
import type { Perimeter } from '../perimeter/perimeter.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { AddressTable } from './address-set.ts'
import type { Epoch } from './arena.ts'
import type { NameTable } from './name-set.ts'
import type { RuleTable } from './rule-table.ts'

/**
 * A compiled policy as it goes from the thread that compiled it to those that decide by it: plain data that can be
 * cloned. All that grows with the number of rules and elements is in tables, which are views of the arena; a clone of a
 * view of shared memory is another view, so what is copied is small.
 */
export interface CompiledPolicy {
  readonly version: string
  readonly epoch: Epoch
  readonly perimeters: readonly PerimeterTables[]
  /** Of the settings, in their order. */
  readonly resources: readonly ResourceTables[]
  readonly egressPorts: readonly number[]
}

/** A perimeter without the rules of its profiles. */
export type PerimeterFacts = Omit<Perimeter, 'profiles'>

export interface PerimeterTables {
  readonly facts: PerimeterFacts
  readonly profiles: readonly ProfileTables[]
}

export interface ProfileTables {
  readonly name: string
  readonly accessRulesVersion: string
  readonly rules: RuleTable
  readonly addresses: AddressTable
  /** Its keys are GUIDs, which have no dot: only a whole one matches. */
  readonly subscriptions: NameTable
  readonly names: NameTable
  readonly linkedPerimeters: ReadonlySet<Guid>
}

export interface ResourceTables {
  readonly resource: Resource
  readonly firewall: AddressTable
}
