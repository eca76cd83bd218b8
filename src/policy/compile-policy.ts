import { PerimeterError } from '../errors.ts'
import type { Guid } from '../perimeter/guid.ts'
import type { Association, Perimeter, Profile } from '../perimeter/perimeter.ts'
import type { Firewall, PublicNetworkAccess, Resource } from '../perimeter/resource.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Hostname } from '../wire/hostname.ts'
import { compileAddressSet } from './address-set.ts'
import { type LinkedPerimeters, compileLinks } from './compile-links.ts'
import { compileProfile, profileKey } from './compile-profile.ts'
import type { PolicyInput } from './policy-input.ts'
import { versionPolicy } from './policy-version.ts'
import type {
  CompiledAssociation,
  CompiledFirewall,
  CompiledPerimeter,
  CompiledProfile,
  PolicySnapshot,
  ResourcePolicy,
} from './snapshot.ts'

/**
 * Compiles the policy into a frozen snapshot. The input is kept by reference and must not change any more.
 *
 * @throws PerimeterError `RF_POLICY` where the input contradicts itself (a resource in two perimeters, a profile that
 * does not exist, one host or GUID for two): no guess is made about who is meant.
 */
export function compilePolicy(input: PolicyInput): PolicySnapshot {
  const associations = new Map<string, { id: ResourceId; association: CompiledAssociation }>()
  const perimetersByGuid = new Map<Guid, CompiledPerimeter>()
  const links = compileLinks(input.perimeters, input.autoApprove)
  const { version, accessRulesVersions } = versionPolicy(input)

  for (const perimeter of input.perimeters) {
    const compiled = compilePerimeter(perimeter)
    putOnce(perimetersByGuid, compiled.guid, { value: compiled, what: 'perimeter GUID' })
    const profiles = compileProfiles(perimeter, { links, accessRulesVersions })
    for (const association of perimeter.associations) {
      const value = {
        id: association.resourceId,
        association: compileAssociation(association, { perimeter: compiled, profiles }),
      }
      putOnce(associations, association.resourceId.key, { value, what: 'associated resource' })
    }
  }

  const resources = new Map<string, ResourcePolicy>()
  const resourcesByHost = new Map<Hostname, ResourcePolicy>()
  for (const resource of input.resources) {
    const { id } = resource
    const { association } = associations.get(id.key) ?? {}
    const value = compileResource({ id, resource, association })
    putOnce(resources, id.key, { value, what: 'resource' })
    for (const host of resource.hosts) putOnce(resourcesByHost, host, { value, what: 'host' })
  }
  for (const [key, { id, association }] of associations) {
    if (resources.has(key)) continue
    resources.set(key, compileResource({ id, resource: undefined, association }))
  }

  return Object.freeze({
    version,
    resources,
    resourcesByHost,
    perimetersByGuid,
    egressPorts: new Set(input.egressPorts),
  })
}

function compilePerimeter(perimeter: Perimeter): CompiledPerimeter {
  const { guid, enabledLogCategories: enabled } = perimeter
  return Object.freeze({
    perimeter,
    guid,
    enabledLogCategories: enabled.length === 0 ? undefined : new Set<string>(enabled),
  })
}

function compileProfiles(
  perimeter: Perimeter,
  given: {
    readonly links: LinkedPerimeters
    readonly accessRulesVersions: ReadonlyMap<Profile, string>
  },
): ReadonlyMap<string, CompiledProfile> {
  const profiles = new Map<string, CompiledProfile>()
  for (const profile of perimeter.profiles) {
    const value = compileProfile(profile, {
      linkedPerimeters: given.links.reaching(perimeter, profile),
      accessRulesVersion: given.accessRulesVersions.get(profile) ?? '',
    })
    putOnce(profiles, profileKey(profile.name), { value, what: 'profile' })
  }
  return profiles
}

function compileAssociation(
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

function compileResource(parts: {
  readonly id: ResourceId
  readonly resource: Resource | undefined
  readonly association: CompiledAssociation | undefined
}): ResourcePolicy {
  const { resource, association } = parts
  // Losing an association locks a resource that says nothing about public access; it never opens it.
  const fallback: PublicNetworkAccess = association === undefined ? 'SecuredByPerimeter' : 'Enabled'
  return Object.freeze({
    ...parts,
    publicNetworkAccess: resource?.publicNetworkAccess ?? fallback,
    firewall: compileFirewall(resource?.firewall),
  })
}

function compileFirewall(firewall: Firewall | undefined): CompiledFirewall {
  const { defaultAction, ipRules }: Firewall = firewall ?? { defaultAction: 'Allow', ipRules: [] }
  const addresses = compileAddressSet(ipRules.map((prefix, rule) => ({ prefix, rule })))
  return Object.freeze({ defaultAction, addresses })
}

function putOnce<Key extends string, Value>(
  map: Map<Key, Value>,
  key: Key,
  entry: { readonly value: Value; readonly what: string },
): void {
  if (map.has(key)) throw new PerimeterError('RF_POLICY', `${entry.what} \`${key}\` is given twice`)
  map.set(key, entry.value)
}
