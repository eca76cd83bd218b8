import type { AccessMode } from '../perimeter/perimeter.ts'
import type { PublicNetworkAccess, Resource } from '../perimeter/resource.ts'
import type { Guid } from '../perimeter/guid.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Hostname } from '../wire/hostname.ts'
import type { AddressSet } from './address-set.ts'
import type { PerimeterFacts } from './compiled-policy.ts'
import type { NameSet } from './name-set.ts'
import type { RuleList } from './rule-list.ts'

/**
 * The compiled policy: frozen, swapped whole, read without locks. INVARIANT (snapshot is frozen): nothing mutates it.
 * Where its tables lie in an arena, they may be gone once another policy is in force: every look-up throws then.
 */
export interface PolicySnapshot {
  /** SHA-256 (hex) of the canonical compiled input: equal versions decide equally. */
  readonly version: string
  /** By `ResourceId.key`: every resource of the settings and every one that a perimeter associates. */
  readonly resources: ReadonlyMap<string, ResourcePolicy>
  /** By host: the resources of the settings. */
  readonly resourcesByHost: ReadonlyMap<Hostname, ResourcePolicy>
  readonly perimetersByGuid: ReadonlyMap<Guid, CompiledPerimeter>
  /** Ports that FQDN rules cover. */
  readonly egressPorts: ReadonlySet<number>
}

export interface CompiledPerimeter {
  readonly perimeter: PerimeterFacts
  readonly guid: Guid
  /** In file order, also those that no association names. */
  readonly profiles: readonly CompiledProfile[]
  /** Undefined: every category is logged. */
  readonly enabledLogCategories: ReadonlySet<string> | undefined
}

/** A profile ready to match against. A match is the index of a rule in `rules`; the lowest is reported. */
export interface CompiledProfile {
  readonly name: string
  /** Changes whenever the profile's rules do. */
  readonly accessRulesVersion: string
  readonly rules: RuleList
  readonly addresses: AddressSet
  readonly subscriptions: NameSet<Guid>
  readonly names: NameSet
  /** Perimeters whose members a link lets in (their GUIDs). */
  readonly linkedPerimeters: ReadonlySet<Guid>
}

export interface CompiledAssociation {
  readonly name: string
  readonly accessMode: AccessMode
  readonly perimeter: CompiledPerimeter
  readonly profile: CompiledProfile
}

export interface CompiledFirewall {
  readonly defaultAction: 'Allow' | 'Deny'
  readonly addresses: AddressSet
}

/** A resource and all that is decided about it. */
export interface ResourcePolicy {
  readonly id: ResourceId
  /** Undefined: a perimeter associates it, but settings do not know it. */
  readonly resource: Resource | undefined
  /** As it counts, defaults applied. */
  readonly publicNetworkAccess: PublicNetworkAccess
  readonly firewall: CompiledFirewall
  readonly association: CompiledAssociation | undefined
}
