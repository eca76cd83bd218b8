import type { Perimeter, AccessMode, LinkStatus } from '../../src/perimeter/perimeter.ts'
import type {
  PrivateEndpoint,
  PublicNetworkAccess,
  Resource,
} from '../../src/perimeter/resource.ts'
import { type Guid, parseGuid } from '../../src/perimeter/guid.ts'
import { parseResourceId, type ResourceId } from '../../src/perimeter/resource-id.ts'
import type { TlsLeniency } from '../../src/policy/judge-opening.ts'
import type {
  BasicCaller,
  InboundListener,
  Lane,
  Limits,
  OutboundListener,
  Settings,
  Timeouts,
} from '../../src/settings/settings.ts'
import { parseNoProxy } from '../../src/settings/no-proxy.ts'
import { hours, KiB, MiB, minutes, seconds } from '../../src/units.ts'
import {
  type IpAddress,
  isPrefix,
  parseAddress,
  parsePrefix,
  type Prefix,
} from '../../src/wire/address.ts'
import { type Authority, parseAuthority } from '../../src/wire/authority.ts'
import {
  type Hostname,
  type NamePattern,
  parseHostname,
  parseNamePattern,
} from '../../src/wire/hostname.ts'

/**
 * Settings and perimeters as tests like to write them: only what matters to the test, everything else defaulted. Text
 * goes through the parsers of the product; what does not parse throws.
 */

export const testSubscription = '11111111-1111-1111-1111-111111111111'

export interface ResourceParts {
  /** A bare name (see `resourceId`) or a full id. */
  readonly id: string
  readonly hosts?: readonly string[]
  /** `http://127.0.0.1:10000`. */
  readonly backend?: string
  /** A certificate authority for an https back end. */
  readonly backendCaFile?: string
  readonly backendProtocol?: 'http2'
  readonly endpoint?: string
  readonly publicNetworkAccess?: PublicNetworkAccess
  readonly firewall?: {
    readonly defaultAction: 'Allow' | 'Deny'
    readonly ipRules?: readonly string[]
  }
  readonly privateEndpoints?: readonly PrivateEndpoint[]
  readonly audience?: string
}

export interface RuleParts {
  readonly name: string
  readonly addressPrefixes?: readonly string[]
  readonly subscriptions?: readonly string[]
  /** Prefixes of each tag. */
  readonly serviceTags?: Readonly<Record<string, readonly string[]>>
  /** Makes it an outbound rule. */
  readonly fullyQualifiedDomainNames?: readonly string[]
}

export interface PerimeterParts {
  readonly name: string
  readonly guid?: string
  readonly profiles?: readonly {
    readonly name: string
    readonly accessRules?: readonly RuleParts[]
  }[]
  readonly associations?: readonly {
    readonly resource: string
    /** The first profile where absent. */
    readonly profile?: string
    readonly accessMode?: AccessMode
  }[]
  readonly links?: readonly {
    readonly to: string
    readonly localInboundProfiles?: readonly string[]
    readonly remoteInboundProfiles?: readonly string[]
  }[]
  readonly linkReferences?: readonly {
    readonly to: string
    readonly localInboundProfiles?: readonly string[]
    readonly status?: LinkStatus
  }[]
}

export interface InForceParts {
  readonly resources?: readonly ResourceParts[]
  readonly perimeters?: readonly PerimeterParts[]
  readonly inbound?: readonly (Partial<
    Omit<InboundListener, 'resource' | 'clients' | 'trustedProxies' | 'proxyProtocol'>
  > & {
    readonly name: string
    readonly resource?: string
    readonly clients?: readonly string[]
    readonly trustedProxies?: readonly string[]
    readonly proxyFrom?: readonly string[]
  })[]
  readonly outbound?: readonly (Partial<
    Omit<OutboundListener, 'resource' | 'clients' | 'callers'>
  > & {
    readonly name: string
    readonly resource?: string
    readonly clients?: readonly string[]
    readonly callers?: readonly {
      readonly resource: string
      readonly prefixes?: readonly string[]
      readonly basic?: BasicCaller
      readonly tokenAudience?: string
    }[]
  })[]
  readonly headersTrustedFrom?: readonly string[]
  readonly speakers?: Settings['identity']['speakers']
  readonly tokens?: Settings['identity']['tokens']
  readonly egress?: {
    readonly ports?: readonly number[]
    readonly privateAddresses?: Readonly<Record<string, readonly string[]>>
    readonly hosts?: Readonly<Record<string, readonly string[]>>
    readonly nameservers?: readonly string[]
    readonly nat64?: readonly string[]
    readonly upstreamProxy?: {
      readonly url: string
      readonly caFile?: string
      readonly credentialsFile?: string
      readonly noProxy?: readonly string[]
    }
    readonly tls?: Partial<TlsLeniency>
  }
  readonly endLineAfterMs?: number
  readonly lane?: Lane
  readonly limits?: Partial<Limits>
  readonly timeouts?: Partial<Timeouts>
}

/** Scenarios run in both lanes: the file that runs them in the other one sets this. */
export const laneUnderTest: Lane =
  process.env['RINGFENCE_TEST_LANE'] === 'library' ? 'library' : 'relay'

/** A bare name is a service of this instance's scope; anything with a slash is a full id. */
export function resourceId(text: string, subscription = testSubscription): ResourceId {
  const full = text.startsWith('/')
    ? text
    : `/subscriptions/${subscription}/resourceGroups/shop/providers/Ringfence.Local/services/${text}`
  return parsed(parseResourceId(full), full)
}

function perimeterId(name: string): ResourceId {
  const text = `/subscriptions/${testSubscription}/resourceGroups/shop/providers/Microsoft.Network/networkSecurityPerimeters/${name}`
  return parsed(parseResourceId(text), text)
}

/** A GUID that belongs to a name, for tests that do not care which. */
export function guidFor(name: string): Guid {
  const hex = Buffer.from(name).toString('hex').padEnd(12, '0').slice(0, 12)
  return guid(`00000000-0000-4000-8000-${hex}`)
}

/** A GUID that the test relies on. */
export function guid(text: string): Guid {
  return parsed(parseGuid(text), text)
}

export function hostname(text: string): Hostname {
  return parsed(parseHostname(text), text)
}

export function address(text: string): IpAddress {
  return parsed(parseAddress(text), text)
}

export function prefix(text: string): Prefix {
  const result = parsePrefix(text)
  if (!isPrefix(result)) throw new Error(`not a prefix: ${text}`)
  return result
}

export function authority(text: string): Authority {
  return parsed(parseAuthority(text), text)
}

export function settingsFrom(parts: InForceParts): Settings {
  const tokenHeader = parts.tokens?.header
  const ownTokenHeader = tokenHeader === 'authorization' ? undefined : tokenHeader
  return {
    file: '/etc/ringfence/ringfence.yaml',
    instance: 'test',
    scope: { subscriptionId: guid(testSubscription), resourceGroup: 'shop' },
    policy: { files: [] },
    resources: (parts.resources ?? []).map(resourceFrom),
    links: { autoApprove: [] },
    inbound: (parts.inbound ?? []).map((listener) => ({
      protocol: protocolOf(parts, listener.resource),
      listen: { host: '127.0.0.1', port: 0 },
      network: 'public',
      forwardedHeader: 'x-forwarded-for',
      tls: undefined,
      ...listener,
      clients: (listener.clients ?? []).map(prefix),
      resource: listener.resource === undefined ? undefined : resourceId(listener.resource),
      trustedProxies: (listener.trustedProxies ?? []).map(prefix),
      proxyProtocol: listener.proxyFrom && { trustedPrefixes: listener.proxyFrom.map(prefix) },
    })),
    outbound: (parts.outbound ?? []).map((listener) => ({
      listen: { host: '127.0.0.1', port: 0 },
      ...listener,
      resource: listener.resource === undefined ? undefined : resourceId(listener.resource),
      clients: listener.clients?.map(prefix),
      callers: (listener.callers ?? []).map(
        ({ resource, prefixes = [], basic, tokenAudience }) => ({
          resource: resourceId(resource),
          prefixes: prefixes.map(prefix),
          basic,
          tokenAudience,
        }),
      ),
    })),
    identity: {
      headers: {
        subscription: 'x-nsp-subscription-id',
        perimeter: 'x-nsp-perimeter-id',
        resource: 'x-nsp-resource-id',
        ...(ownTokenHeader === undefined ? {} : { token: ownTokenHeader }),
      },
      headersTrustedFrom: (parts.headersTrustedFrom ?? []).map(prefix),
      speakers: parts.speakers ?? new Map(),
      tokens: parts.tokens,
    },
    egress: {
      ports: parts.egress?.ports ?? [80, 443],
      privateAddresses: Object.entries(parts.egress?.privateAddresses ?? {}).map(
        ([name, prefixes]) => ({ name: pattern(name), prefixes: prefixes.map(prefix) }),
      ),
      hosts: new Map(
        Object.entries(parts.egress?.hosts ?? {}).map(([name, addresses]) => [
          hostname(name),
          addresses.map(address),
        ]),
      ),
      nameservers: parts.egress?.nameservers ?? [],
      tls: {
        absent: 'deny',
        several: 'deny',
        unreadable: 'deny',
        encrypted: 'log',
        notTls: 'deny',
        ...parts.egress?.tls,
      },
      nat64: (parts.egress?.nat64 ?? []).map(prefix),
      upstreamProxy: upstreamProxyFrom(parts),
    },
    audit: {
      file: '-',
      endLineAfterMs: parts.endLineAfterMs ?? seconds(60),
      flushIntervalMs: 100,
      bufferBytes: MiB,
      onFailure: 'deny',
    },
    health: undefined,
    admin: undefined,
    workers: 1,
    lane: parts.lane ?? laneUnderTest,
    limits: {
      headerBytes: 32 * KiB,
      headerCount: 100,
      connections: 10_000,
      concurrentStreams: 100,
      tunnelsPerResource: 1000,
      ...parts.limits,
    },
    timeouts: {
      headerMs: seconds(10),
      keepAliveMs: seconds(60),
      bodyIdleMs: seconds(60),
      connectMs: seconds(5),
      dnsMs: seconds(3),
      tunnelIdleMs: minutes(10),
      tunnelLifetimeMs: hours(24),
      drainMs: seconds(30),
      ...parts.timeouts,
    },
  }
}

export function perimeterFrom(parts: PerimeterParts): Perimeter {
  const profiles = parts.profiles ?? [{ name: 'default' }]
  return {
    name: parts.name,
    id: perimeterId(parts.name),
    guid: parts.guid === undefined ? guidFor(parts.name) : guid(parts.guid),
    location: 'local',
    profiles: profiles.map((profile) => ({
      name: profile.name,
      accessRules: (profile.accessRules ?? []).map((rule) => ({
        name: rule.name,
        direction: rule.fullyQualifiedDomainNames === undefined ? 'Inbound' : 'Outbound',
        addressPrefixes: (rule.addressPrefixes ?? []).map(prefix),
        subscriptions: (rule.subscriptions ?? []).map(guid),
        ...(rule.serviceTags === undefined
          ? {}
          : {
              serviceTags: Object.entries(rule.serviceTags).map(([name, prefixes]) => ({
                name,
                addressPrefixes: prefixes.map(prefix),
              })),
            }),
        fullyQualifiedDomainNames: (rule.fullyQualifiedDomainNames ?? []).map(pattern),
      })),
    })),
    associations: (parts.associations ?? []).map((association) => ({
      name: association.resource,
      resourceId: resourceId(association.resource),
      profile: association.profile ?? profiles[0]?.name ?? 'default',
      accessMode: association.accessMode ?? 'Enforced',
    })),
    links: (parts.links ?? []).map((link) => ({
      name: `to-${link.to}`,
      remotePerimeter: perimeterId(link.to),
      localInboundProfiles: link.localInboundProfiles ?? ['*'],
      remoteInboundProfiles: link.remoteInboundProfiles ?? ['*'],
    })),
    linkReferences: (parts.linkReferences ?? []).map((reference) => ({
      name: `from-${reference.to}`,
      remotePerimeter: perimeterId(reference.to),
      localInboundProfiles: reference.localInboundProfiles ?? ['*'],
      status: reference.status ?? 'Approved',
    })),
    enabledLogCategories: [],
  }
}

function upstreamProxyFrom({ egress }: InForceParts): Settings['egress']['upstreamProxy'] {
  if (egress?.upstreamProxy === undefined) return undefined
  const { url, noProxy = [], ...files } = egress.upstreamProxy
  const { protocol, host } = new URL(url)
  return {
    scheme: protocol === 'https:' ? 'https' : 'http',
    authority: authority(host),
    ...files,
    noProxy: noProxy.map((text) => parsed(parseNoProxy(text), text)),
  }
}

function protocolOf({ resources }: InForceParts, id: string | undefined): 'http' | 'tcp' {
  const found = resources?.find((resource) => resource.id === id)
  return found?.backend?.startsWith('tcp:') === true ? 'tcp' : 'http'
}

function resourceFrom(parts: ResourceParts): Resource {
  return {
    id: resourceId(parts.id),
    hosts: (parts.hosts ?? []).map(hostname),
    ...(parts.backend === undefined ? {} : { backend: backendFrom(parts.backend, parts) }),
    ...(parts.endpoint === undefined ? {} : { endpoint: authority(parts.endpoint) }),
    ...(parts.publicNetworkAccess === undefined
      ? {}
      : { publicNetworkAccess: parts.publicNetworkAccess }),
    ...(parts.firewall === undefined
      ? {}
      : {
          firewall: {
            defaultAction: parts.firewall.defaultAction,
            ipRules: (parts.firewall.ipRules ?? []).map(prefix),
          },
        }),
    ...(parts.privateEndpoints === undefined ? {} : { privateEndpoints: parts.privateEndpoints }),
    ...(parts.audience === undefined ? {} : { audience: parts.audience }),
  }
}

function backendFrom(
  text: string,
  { backendCaFile: caFile, backendProtocol: protocol }: ResourceParts,
): NonNullable<Resource['backend']> {
  const [scheme, rest] = text.split('://')
  if (scheme !== 'http' && scheme !== 'https' && scheme !== 'tcp') throw new Error(text)
  return {
    scheme,
    authority: authority(rest ?? ''),
    ...(caFile === undefined ? {} : { caFile }),
    ...(protocol === undefined ? {} : { protocol }),
  }
}

function pattern(text: string): NamePattern {
  return parsed(parseNamePattern(text), text)
}

function parsed<T>(value: T | undefined, text: string): T {
  if (value === undefined) throw new Error(`a test wrote something that does not parse: ${text}`)
  return value
}
