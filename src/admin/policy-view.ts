import type { Perimeter } from '../perimeter/perimeter.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { ResourcePolicy } from '../policy/snapshot.ts'
import type { InForce } from '../settings/in-force.ts'
import { formatAuthority } from '../wire/authority.ts'

/**
 * The policy in force as JSON, spelled as in perimeter files. It is written out field by field, never by walking the
 * objects: what somebody adds to the settings later (a key, a credential) does not appear here by itself.
 */

/** For the admin socket only: it names every rule. Holds no key, no file content and no credential. */
export function viewPolicy(inForce: InForce): unknown {
  const { snapshot } = inForce
  return {
    version: inForce.version,
    perimeters: [...snapshot.perimetersByGuid.values()].map(({ perimeter }) =>
      viewPerimeter(perimeter),
    ),
    resources: [...snapshot.resources.values()].map(viewResource),
    egressPorts: [...snapshot.egressPorts],
  }
}

function viewPerimeter(perimeter: Perimeter): unknown {
  return {
    name: perimeter.name,
    id: perimeter.id.text,
    perimeterGuid: perimeter.guid,
    location: perimeter.location,
    profiles: perimeter.profiles.map((profile) => ({
      name: profile.name,
      accessRules: profile.accessRules.map((rule) => ({
        name: rule.name,
        direction: rule.direction,
        addressPrefixes: rule.addressPrefixes.map((prefix) => prefix.text),
        subscriptions: rule.subscriptions.map((guid) => ({ id: `/subscriptions/${guid}` })),
        fullyQualifiedDomainNames: rule.fullyQualifiedDomainNames,
      })),
    })),
    resourceAssociations: perimeter.associations.map((association) => ({
      name: association.name,
      privateLinkResource: { id: association.resourceId.text },
      profile: { id: association.profile },
      accessMode: association.accessMode,
    })),
    links: perimeter.links.map((link) => ({
      name: link.name,
      autoApprovedRemotePerimeterResourceId: link.remotePerimeter.text,
      localInboundProfiles: link.localInboundProfiles,
      remoteInboundProfiles: link.remoteInboundProfiles,
    })),
    linkReferences: perimeter.linkReferences.map((reference) => ({
      name: reference.name,
      remotePerimeterResourceId: reference.remotePerimeter.text,
      localInboundProfiles: reference.localInboundProfiles,
      status: reference.status,
    })),
    enabledLogCategories: perimeter.enabledLogCategories,
  }
}

function viewResource(policy: ResourcePolicy): unknown {
  const { resource, association } = policy
  return {
    id: policy.id.text,
    ...(resource === undefined ? {} : viewService(resource)),
    publicNetworkAccess: policy.publicNetworkAccess,
    firewall: {
      defaultAction: policy.firewall.defaultAction,
      ipRules: resource?.firewall?.ipRules.map((prefix) => prefix.text) ?? [],
    },
    association:
      association === undefined
        ? null
        : {
            name: association.name,
            accessMode: association.accessMode,
            perimeter: association.perimeter.perimeter.name,
            profile: association.profile.name,
            accessRulesVersion: association.profile.accessRulesVersion,
            linkedPerimeters: [...association.profile.linkedPerimeters],
          },
  }
}

function viewService({ hosts, backend, endpoint }: Resource): Record<string, unknown> {
  return {
    hosts,
    ...(backend === undefined
      ? {}
      : { backend: `${backend.scheme}://${formatAuthority(backend.authority)}` }),
    ...(endpoint === undefined ? {} : { endpoint: formatAuthority(endpoint) }),
  }
}
