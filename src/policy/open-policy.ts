import { PerimeterError } from '../errors.ts'
import type { Guid } from '../perimeter/guid.ts'
import type { Association } from '../perimeter/perimeter.ts'
import type { PublicNetworkAccess } from '../perimeter/resource.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Hostname } from '../wire/hostname.ts'
import { type AddressSet, openAddressSet } from './address-set.ts'
import type { Epoch } from './arena.ts'
import { profileKey } from './compile-profile.ts'
import type {
  CompiledPolicy,
  PerimeterTables,
  ProfileTables,
  ResourceTables,
} from './compiled-policy.ts'
import { openNameSet } from './name-set.ts'
import { openRuleList } from './rule-list.ts'
import type {
  CompiledAssociation,
  CompiledPerimeter,
  CompiledProfile,
  PolicySnapshot,
  ResourcePolicy,
} from './snapshot.ts'

/**
 * Makes a frozen snapshot of a compiled policy, or of a clone of it. What this costs grows with the number of perimeters,
 * profiles, associations and resources, and not with that of rules: it is done where requests wait.
 *
 * @throws PerimeterError `RF_POLICY` where the policy contradicts itself (a resource in two perimeters, a profile that
 * does not exist, one host or GUID for two): no guess is made about who is meant.
 */
export function openPolicy(compiled: CompiledPolicy): PolicySnapshot {
  const { version, epoch } = compiled
  const associations = new Map<string, { id: ResourceId; association: CompiledAssociation }>()
  const perimetersByGuid = new Map<Guid, CompiledPerimeter>()

  for (const tables of compiled.perimeters) {
    const perimeter = openPerimeter(tables, epoch)
    putOnce(perimetersByGuid, perimeter.guid, { value: perimeter, what: 'perimeter GUID' })
    const profiles = new Map<string, CompiledProfile>()
    for (const profile of perimeter.profiles) {
      putOnce(profiles, profileKey(profile.name), { value: profile, what: 'profile' })
    }
    for (const given of tables.facts.associations) {
      const association = openAssociation(given, { perimeter, profiles })
      const value = { id: given.resourceId, association }
      putOnce(associations, given.resourceId.key, { value, what: 'associated resource' })
    }
  }

  const resources = new Map<string, ResourcePolicy>()
  const resourcesByHost = new Map<Hostname, ResourcePolicy>()
  for (const tables of compiled.resources) {
    const { id, hosts } = tables.resource
    const { association } = associations.get(id.key) ?? {}
    const value = openResource(tables, { association, epoch })
    putOnce(resources, id.key, { value, what: 'resource' })
    for (const host of hosts) putOnce(resourcesByHost, host, { value, what: 'host' })
  }
  for (const [key, { id, association }] of associations) {
    if (!resources.has(key)) resources.set(key, createUnknownResource(id, association))
  }

  return Object.freeze({
    version,
    resources,
    resourcesByHost,
    perimetersByGuid,
    egressPorts: new Set(compiled.egressPorts),
  })
}

function openPerimeter({ facts, profiles }: PerimeterTables, epoch: Epoch): CompiledPerimeter {
  const { guid, enabledLogCategories: enabled } = facts
  return Object.freeze({
    perimeter: Object.freeze(facts),
    guid,
    profiles: Object.freeze(profiles.map((profile) => openProfile(profile, epoch))),
    enabledLogCategories: enabled.length === 0 ? undefined : new Set<string>(enabled),
  })
}

function openProfile(tables: ProfileTables, epoch: Epoch): CompiledProfile {
  const { name, accessRulesVersion, rules, linkedPerimeters } = tables
  const keys = { text: rules.text, epoch }
  return Object.freeze({
    name,
    accessRulesVersion,
    rules: openRuleList(rules, epoch),
    addresses: openAddressSet(tables.addresses, epoch),
    subscriptions: openNameSet(tables.subscriptions, keys),
    names: openNameSet(tables.names, keys),
    linkedPerimeters,
  })
}

function openAssociation(
  association: Association,
  owner: {
    readonly perimeter: CompiledPerimeter
    readonly profiles: ReadonlyMap<string, CompiledProfile>
  },
): CompiledAssociation {
  const profile = owner.profiles.get(profileKey(association.profile))
  if (profile === undefined) {
    throw new PerimeterError(
      'RF_POLICY',
      `association \`${association.name}\` names the profile \`${association.profile}\`, which does not exist`,
    )
  }
  const { name, accessMode } = association
  return Object.freeze({ name, accessMode, perimeter: owner.perimeter, profile })
}

function openResource(
  { resource, firewall }: ResourceTables,
  given: { readonly association: CompiledAssociation | undefined; readonly epoch: Epoch },
): ResourcePolicy {
  const { association, epoch } = given
  // Losing an association locks a resource that says nothing about public access; it never opens it.
  const fallback: PublicNetworkAccess = association === undefined ? 'SecuredByPerimeter' : 'Enabled'
  return Object.freeze({
    id: resource.id,
    resource,
    association,
    publicNetworkAccess: resource.publicNetworkAccess ?? fallback,
    firewall: Object.freeze({
      defaultAction: resource.firewall === undefined ? 'Allow' : resource.firewall.defaultAction,
      addresses: openAddressSet(firewall, epoch),
    }),
  })
}

const noAddresses: AddressSet = Object.freeze({ match: () => -1 })

/** One that a perimeter associates and settings do not know. It has no rules of its own. */
function createUnknownResource(id: ResourceId, association: CompiledAssociation): ResourcePolicy {
  return Object.freeze({
    id,
    resource: undefined,
    association,
    publicNetworkAccess: 'Enabled',
    firewall: Object.freeze({ defaultAction: 'Allow', addresses: noAddresses }),
  })
}

function putOnce<Key extends string, Value>(
  map: Map<Key, Value>,
  key: Key,
  entry: { readonly value: Value; readonly what: string },
): void {
  if (map.has(key)) throw new PerimeterError('RF_POLICY', `${entry.what} \`${key}\` is given twice`)
  map.set(key, entry.value)
}
