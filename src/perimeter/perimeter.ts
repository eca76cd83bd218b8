import type { Prefix } from '../wire/address.ts'
import type { NamePattern } from '../wire/hostname.ts'
import type { Category } from './category.ts'
import type { Guid } from './guid.ts'
import type { ResourceId } from './resource-id.ts'

/** The model: what an administrator declared, validated and in canonical form, before it is compiled. Everything is frozen. */

/** `Transition` is the portal's name for `Learning` (NSP access modes). */
export type AccessMode = 'Learning' | 'Enforced' | 'Audit'

export type Direction = 'Inbound' | 'Outbound'

/** One access rule: rules only allow; any element of any list matches (OR). Native files hold one kind of element a rule. */
export interface AccessRule {
  readonly name: string
  readonly direction: Direction
  /** Inbound. */
  readonly addressPrefixes: readonly Prefix[]
  /** Inbound: subscription GUIDs. */
  readonly subscriptions: readonly Guid[]
  /** Inbound; absent: none. */
  readonly serviceTags?: readonly ServiceTag[]
  /** Outbound. */
  readonly fullyQualifiedDomainNames: readonly NamePattern[]
}

/** A service by the addresses that its provider publishes (Azure service tags). */
export interface ServiceTag {
  /** As the provider spells it. */
  readonly name: string
  readonly addressPrefixes: readonly Prefix[]
}

export interface Profile {
  readonly name: string
  /** In file order: the first that matches is the one reported. */
  readonly accessRules: readonly AccessRule[]
}

/** A resource's place in a perimeter. A resource has at most one in all perimeters together. */
export interface Association {
  readonly name: string
  readonly resourceId: ResourceId
  /** Name of a profile of the same perimeter; it exists. */
  readonly profile: string
  readonly accessMode: AccessMode
}

/** Names of profiles; `*` alone is all, empty is none. */
export type ProfileSelection = readonly string[]

/** Our side of a link to another perimeter. It counts only with the other side's consent. */
export interface Link {
  readonly name: string
  readonly remotePerimeter: ResourceId
  readonly localInboundProfiles: ProfileSelection
  readonly remoteInboundProfiles: ProfileSelection
}

export type LinkStatus = 'Approved' | 'Pending' | 'Rejected' | 'Disconnected'

/** Our consent to another perimeter's link. */
export interface LinkReference {
  readonly name: string
  readonly remotePerimeter: ResourceId
  readonly localInboundProfiles: ProfileSelection
  readonly status: LinkStatus
}

export interface Perimeter {
  readonly name: string
  readonly id: ResourceId
  readonly guid: Guid
  readonly location: string
  readonly profiles: readonly Profile[]
  readonly associations: readonly Association[]
  readonly links: readonly Link[]
  readonly linkReferences: readonly LinkReference[]
  /** Empty: all. */
  readonly enabledLogCategories: readonly Category[]
}
