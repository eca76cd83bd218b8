import { type Guid, parseGuid } from '../../src/perimeter/guid.ts'
import { defaultPerimeterGuid } from '../../src/perimeter/perimeter-guid.ts'
import type {
  AccessMode,
  AccessRule,
  Direction,
  LinkStatus,
  Perimeter,
} from '../../src/perimeter/perimeter.ts'
import type { PublicNetworkAccess, Resource } from '../../src/perimeter/resource.ts'
import { parseResourceId, type ResourceId } from '../../src/perimeter/resource-id.ts'
import type { PolicyInput } from '../../src/policy/policy-input.ts'
import { isPrefix, parsePrefix, type Prefix } from '../../src/wire/address.ts'
import {
  type Hostname,
  type NamePattern,
  parseHostname,
  parseNamePattern,
} from '../../src/wire/hostname.ts'

/**
 * A policy as tests and decision cases write it: the spelling of the perimeter files, only what matters, everything
 * else defaulted. Bare names are ids in one scope. What does not parse throws.
 */
export interface GivenPolicy {
  readonly resources?: readonly GivenResource[]
  readonly perimeters?: readonly GivenPerimeter[]
  readonly egressPorts?: readonly number[]
  readonly autoApprove?: readonly string[]
  /** Prefixes by name, as the file of service tags has them. */
  readonly serviceTags?: Readonly<Record<string, readonly string[]>>
}

export interface GivenResource {
  readonly id: string
  readonly hosts?: readonly string[]
  readonly publicNetworkAccess?: PublicNetworkAccess
  readonly firewall?: {
    readonly defaultAction: 'Allow' | 'Deny'
    readonly ipRules?: readonly string[]
  }
}

export interface GivenRule {
  readonly name: string
  /** Default: outbound where there are FQDNs. */
  readonly direction?: Direction
  readonly addressPrefixes?: readonly string[]
  readonly subscriptions?: readonly string[]
  /** Of the policy's `serviceTags`. */
  readonly serviceTags?: readonly string[]
  readonly fullyQualifiedDomainNames?: readonly string[]
}

export interface GivenPerimeter {
  readonly name: string
  readonly perimeterGuid?: string
  readonly profiles?: readonly {
    readonly name: string
    readonly accessRules?: readonly GivenRule[]
  }[]
  readonly resourceAssociations?: readonly {
    readonly resource: string
    readonly profile: string
    readonly accessMode?: AccessMode
  }[]
  readonly links?: readonly {
    readonly to: string
    readonly localInboundProfiles?: readonly string[]
    readonly remoteInboundProfiles?: readonly string[]
  }[]
  readonly linkReferences?: readonly {
    readonly from: string
    readonly localInboundProfiles?: readonly string[]
    readonly status: LinkStatus
  }[]
}

const scope = '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers'

export function buildPolicyInput(given: GivenPolicy): PolicyInput {
  return {
    resources: (given.resources ?? []).map(buildResource),
    perimeters: (given.perimeters ?? []).map((perimeter) => buildPerimeter(perimeter, given)),
    egressPorts: given.egressPorts ?? [80, 443],
    autoApprove: (given.autoApprove ?? []).map(perimeterId),
    deciding: undefined,
  }
}

/** The id of a service of the scope by its bare name; a full id stands for itself. */
export function serviceId(name: string): ResourceId {
  return parsed(
    parseResourceId(name.startsWith('/') ? name : `${scope}/Ringfence.Local/services/${name}`),
    name,
  )
}

/** The id of a perimeter of the scope by its bare name. */
export function perimeterId(name: string): ResourceId {
  return parsed(
    parseResourceId(`${scope}/Microsoft.Network/networkSecurityPerimeters/${name}`),
    name,
  )
}

export function guid(text: string): Guid {
  return parsed(parseGuid(text), text)
}

export function hostname(text: string): Hostname {
  return parsed(parseHostname(text), text)
}

export function pattern(text: string): NamePattern {
  return parsed(parseNamePattern(text), text)
}

export function prefix(text: string): Prefix {
  const value = parsePrefix(text)
  return parsed(isPrefix(value) ? value : undefined, text)
}

function buildResource(given: GivenResource): Resource {
  const { firewall, publicNetworkAccess } = given
  return {
    id: serviceId(given.id),
    hosts: (given.hosts ?? []).map(hostname),
    ...(publicNetworkAccess === undefined ? {} : { publicNetworkAccess }),
    ...(firewall === undefined
      ? {}
      : {
          firewall: {
            defaultAction: firewall.defaultAction,
            ipRules: (firewall.ipRules ?? []).map(prefix),
          },
        }),
  }
}

function buildPerimeter(given: GivenPerimeter, policy: GivenPolicy): Perimeter {
  const id = perimeterId(given.name)
  return {
    name: given.name,
    id,
    guid: given.perimeterGuid === undefined ? defaultPerimeterGuid(id) : guid(given.perimeterGuid),
    location: 'local',
    profiles: (given.profiles ?? []).map(({ name, accessRules }) => ({
      name,
      accessRules: (accessRules ?? []).map((rule) => buildRule(rule, policy)),
    })),
    associations: (given.resourceAssociations ?? []).map(({ resource, profile, accessMode }) => ({
      name: `${resource}-association`,
      resourceId: serviceId(resource),
      profile,
      accessMode: accessMode ?? 'Learning',
    })),
    links: (given.links ?? []).map((link) => ({
      name: `to-${link.to}`,
      remotePerimeter: perimeterId(link.to),
      localInboundProfiles: link.localInboundProfiles ?? [],
      remoteInboundProfiles: link.remoteInboundProfiles ?? [],
    })),
    linkReferences: (given.linkReferences ?? []).map((reference) => ({
      name: `from-${reference.from}`,
      remotePerimeter: perimeterId(reference.from),
      localInboundProfiles: reference.localInboundProfiles ?? [],
      status: reference.status,
    })),
    enabledLogCategories: [],
  }
}

function buildRule(given: GivenRule, { serviceTags = {} }: GivenPolicy): AccessRule {
  const names = given.fullyQualifiedDomainNames ?? []
  return {
    name: given.name,
    direction: given.direction ?? (names.length === 0 ? 'Inbound' : 'Outbound'),
    addressPrefixes: (given.addressPrefixes ?? []).map(prefix),
    subscriptions: (given.subscriptions ?? []).map(guid),
    fullyQualifiedDomainNames: names.map(pattern),
    ...(given.serviceTags === undefined
      ? {}
      : {
          serviceTags: given.serviceTags.map((name) => ({
            name,
            addressPrefixes: parsed(serviceTags[name], name).map(prefix),
          })),
        }),
  }
}

function parsed<Value>(value: Value | undefined, text: string): Value {
  if (value === undefined) throw new Error(`\`${text}\` does not parse`)
  return value
}
