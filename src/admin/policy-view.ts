import type { Resource } from '../perimeter/resource.ts'
import type { RuleList } from '../policy/rule-list.ts'
import type { ElementKind } from '../policy/rule-table.ts'
import type { CompiledPerimeter, CompiledProfile, ResourcePolicy } from '../policy/snapshot.ts'
import type { InForce } from '../settings/in-force.ts'
import { formatAuthority } from '../wire/authority.ts'

/**
 * The policy in force as JSON, spelled as in perimeter files. It is written out field by field, never by walking the
 * objects: what somebody adds to the settings later (a key, a credential) does not appear here by itself.
 */

/**
 * For the admin socket only: it names every rule. Holds no key, no file content and no credential. In small pieces, each
 * made when it is asked for: a million rules as one text would keep every request waiting. Throws where the policy has
 * been gone for so long that another one took its place in memory.
 */
export function* viewPolicy(inForce: InForce): Iterable<string> {
  const { snapshot } = inForce
  yield `{"version":${JSON.stringify(inForce.version)},\n"perimeters":[`
  yield* separated(snapshot.perimetersByGuid.values(), viewPerimeter)
  yield '],\n"resources":['
  yield* separated(snapshot.resources.values(), viewResource)
  yield `],\n"egressPorts":${JSON.stringify([...snapshot.egressPorts])}}\n`
}

function* separated<Item>(
  items: Iterable<Item>,
  view: (item: Item) => Iterable<string>,
): Iterable<string> {
  let separator = '\n'
  for (const item of items) {
    yield separator
    yield* view(item)
    separator = ',\n'
  }
}

function* viewPerimeter({ perimeter, profiles }: CompiledPerimeter): Iterable<string> {
  const identity = {
    name: perimeter.name,
    id: perimeter.id.text,
    perimeterGuid: perimeter.guid,
    location: perimeter.location,
  }
  yield `${withoutEnd(identity)},"profiles":[`
  yield* separated(profiles, viewProfile)
  const rest = {
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
  yield `],\n${JSON.stringify(rest).slice(1)}`
}

function* viewProfile({ name, rules }: CompiledProfile): Iterable<string> {
  yield `${withoutEnd({ name })},"accessRules":[`
  yield* viewRules(rules)
  yield ']}'
}

const elementKinds: readonly ElementKind[] = [
  'addressPrefixes',
  'subscriptions',
  'serviceTags',
  'fullyQualifiedDomainNames',
]

/** Elements come in the order of their kinds, so each list is opened when its kind is reached, and all of them are. */
function* viewRules(rules: RuleList): Iterable<string> {
  let opened = 0
  let separator = ''
  const openUpTo = (kind: number): string => {
    let text = ''
    for (; opened < kind; opened++) {
      text += `${opened === 0 ? ',' : '],'}"${elementKinds[opened]}":[`
      separator = ''
    }
    return text
  }
  let isFirst = true
  for (const { kind, text } of rules.lines()) {
    if (kind === 'Inbound' || kind === 'Outbound') {
      if (!isFirst) yield `${openUpTo(elementKinds.length)}]},`
      isFirst = false
      opened = 0
      yield `\n${withoutEnd({ name: text, direction: kind })}`
    } else {
      const head = openUpTo(elementKinds.indexOf(kind) + 1)
      const element = kind === 'subscriptions' ? { id: `/subscriptions/${text}` } : text
      yield `${head}${separator}${JSON.stringify(element)}`
      separator = ','
    }
  }
  if (!isFirst) yield `${openUpTo(elementKinds.length)}]}`
}

function* viewResource(policy: ResourcePolicy): Iterable<string> {
  const { resource, association } = policy
  yield JSON.stringify({
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
  })
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

/** An object whose last brace is still to come. */
function withoutEnd(object: object): string {
  return JSON.stringify(object).slice(0, -1)
}
