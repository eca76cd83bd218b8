import type { Perimeter } from '../../src/perimeter/perimeter.ts'
import type { AddressGuard } from '../../src/policy/address-guard.ts'
import type { AddressSet } from '../../src/policy/address-set.ts'
import type { NameSet } from '../../src/policy/name-set.ts'
import type {
  CompiledAssociation,
  CompiledPerimeter,
  CompiledProfile,
  PolicySnapshot,
  ResourcePolicy,
} from '../../src/policy/snapshot.ts'
import type { Settings } from '../../src/settings/settings.ts'
import { type Prefix, prefixCovers } from '../../src/wire/address.ts'
import type { Hostname, NamePattern } from '../../src/wire/hostname.ts'

/** Stands in for the compiler of policies until it exists: naive, links as local profiles only. */
export function compileForTests(input: {
  settings: Settings
  perimeters: readonly Perimeter[]
  version: string
}): PolicySnapshot {
  const compiledPerimeters = input.perimeters.map((perimeter) => ({
    perimeter,
    guid: perimeter.guid,
    enabledLogCategories: undefined,
  }))
  const resources = new Map<string, ResourcePolicy>()
  const resourcesByHost = new Map<Hostname, ResourcePolicy>()
  for (const resource of input.settings.resources) {
    const association = associationOf(resource.id.key, compiledPerimeters)
    const policy: ResourcePolicy = {
      id: resource.id,
      resource,
      publicNetworkAccess:
        resource.publicNetworkAccess ??
        (association === undefined ? 'SecuredByPerimeter' : 'Enabled'),
      firewall: {
        defaultAction: resource.firewall?.defaultAction ?? 'Allow',
        addresses: addressSet(
          (resource.firewall?.ipRules ?? []).map((prefix) => ({ prefix, rule: 0 })),
        ),
      },
      association,
    }
    resources.set(resource.id.key, policy)
    for (const host of resource.hosts) resourcesByHost.set(host, policy)
  }
  return {
    version: input.version,
    resources,
    resourcesByHost,
    perimetersByGuid: new Map(compiledPerimeters.map((perimeter) => [perimeter.guid, perimeter])),
    egressPorts: new Set(input.settings.egress.ports),
  }
}

export function guardForTests(settings: Settings): AddressGuard {
  return {
    refuse({ host, address }) {
      if (address.bytes[0] !== 127 && address.bytes[0] !== 10) return undefined
      const granted = settings.egress.privateAddresses.some(
        (grant) =>
          host.kind === 'name' &&
          String(grant.name) === String(host.name) &&
          grant.prefixes.some((prefix) => prefixCovers(prefix, address)),
      )
      return granted ? undefined : 'not public'
    },
  }
}

function associationOf(
  key: string,
  perimeters: readonly CompiledPerimeter[],
): CompiledAssociation | undefined {
  for (const perimeter of perimeters) {
    const association = perimeter.perimeter.associations.find((one) => one.resourceId.key === key)
    if (association === undefined) continue
    return {
      name: association.name,
      accessMode: association.accessMode,
      perimeter,
      profile: compileProfile(perimeter.perimeter, association.profile),
    }
  }
  return undefined
}

function compileProfile(perimeter: Perimeter, name: string): CompiledProfile {
  const rules = perimeter.profiles.find((profile) => profile.name === name)?.accessRules ?? []
  const subscriptions = rules.flatMap((rule, index) =>
    rule.subscriptions.map((guid) => [guid, index] as const),
  )
  return {
    name,
    accessRulesVersion: '1',
    ruleNames: rules.map((rule) => rule.name),
    addresses: addressSet(
      rules.flatMap((rule, index) =>
        rule.addressPrefixes.map((prefix) => ({ prefix, rule: index })),
      ),
    ),
    subscriptions: new Map(subscriptions),
    names: nameSet(
      rules.flatMap((rule, index) =>
        rule.fullyQualifiedDomainNames.map((pattern) => ({ pattern, rule: index })),
      ),
    ),
    linkedPerimeters: new Set(),
  }
}

function addressSet(entries: readonly { prefix: Prefix; rule: number }[]): AddressSet {
  return {
    match: (address) => entries.find((entry) => prefixCovers(entry.prefix, address))?.rule ?? -1,
  }
}

function nameSet(entries: readonly { pattern: NamePattern; rule: number }[]): NameSet {
  return {
    match: (name) =>
      entries.find(({ pattern }) =>
        pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : String(pattern) === name,
      )?.rule ?? -1,
  }
}
