import type { DecisionReason } from '../reasons.ts'
import { type IpAddress, type Prefix, prefixCovers } from '../wire/address.ts'
import { type AddressClass, classifyAddress, embeddedIpv4 } from '../wire/address-class.ts'
import type { Host } from '../wire/authority.ts'
import type { Hostname, NamePattern } from '../wire/hostname.ts'
import { translatedIpv4 } from '../wire/nat64.ts'

/**
 * The guard: which addresses an allowed name may be connected to. It is no access rule and holds in every access mode.
 */
export interface AddressGuard {
  /** Undefined: the address may be dialled for this host; else why not. */
  refuse(request: GuardRequest): GuardRefusal | undefined
  /** Whether this instance listens there. */
  isOwnListener(address: IpAddress, port: number): boolean
}

export interface GuardRefusal {
  readonly reason: Extract<DecisionReason, 'address-not-public' | 'loop'>
  /** For the log. */
  readonly detail: string
}

export interface GuardRequest {
  /** As decided: a name, or the literal that was asked for. */
  readonly host: Host
  readonly address: IpAddress
  readonly port: number
}

/** What a name may resolve to although it is not public. */
export interface AddressGrant {
  /** A name, or a wildcard: any depth below, never the apex. */
  readonly name: NamePattern
  readonly prefixes: readonly Prefix[]
}

/** Where this instance listens; `any-v6` takes IPv4 as well, as Node's `::` does. */
export interface OwnListener {
  readonly address: IpAddress | 'any-v4' | 'any-v6'
  readonly port: number
}

export interface AddressGuardOptions {
  readonly grants: readonly AddressGrant[]
  /** Asked each time, because ports are known only once they are listened on. */
  readonly ownListeners: () => readonly OwnListener[]
  /** Addresses of this machine's interfaces. Asked each time, because they change: a pod or a laptop gets another. */
  readonly ownAddresses: () => readonly IpAddress[]
  /** What the network translates to IPv4 (RFC 6052); absent: nothing. */
  readonly nat64?: readonly Prefix[]
}

/**
 * What only a single address, granted to an exact name, opens: a range or a wildcard that happens to cover these was
 * not written with them in mind. `0.0.0.0` and `::` lead to this machine like loopback.
 */
const onlyBySingleAddress: ReadonlySet<AddressClass> = new Set([
  'metadata',
  'loopback',
  'link-local',
  'unspecified',
])

const ownListener: GuardRefusal = { reason: 'loop', detail: 'own listener' }

export function createAddressGuard(options: AddressGuardOptions): AddressGuard {
  const { ownListeners, ownAddresses, nat64 = [] } = options
  const exact = indexGrants(options.grants.filter(({ name }) => !isWildcard(name)))
  const wildcard = indexGrants(options.grants.filter(({ name }) => isWildcard(name)))

  function refuse({ host, address, port }: GuardRequest): GuardRefusal | undefined {
    const translated = nat64.length === 0 ? undefined : translatedIpv4(address, nat64)
    const addressClass = translated === undefined ? classifyAddress(address) : 'embedded-ipv4'
    const isOwn = isOwnListener(address, port)
    if (addressClass === 'public' && !isOwn) return undefined
    const refusal = isOwn ? ownListener : notPublic(`${addressClass} address`)
    if (host.kind === 'name' && isGrantedSingly(host.name, address)) return undefined
    if (isOwn || translated === 'unclear') return refusal
    if (translated !== undefined) return refuseInner({ host, address: translated, port })
    // A literal has no name that anything could have been granted to.
    if (host.kind !== 'name') return refusal
    const ofName = exact.get(host.name) ?? []
    if (onlyBySingleAddress.has(addressClass)) return refusal
    if (!isGranted(host.name, { ofName, address })) return refusal
    return addressClass === 'embedded-ipv4' ? refuseEmbedded({ host, address, port }) : undefined
  }

  /** A grant for a form of embedding (NAT64) says how to get there, not that every IPv4 address may be got at. */
  function refuseEmbedded({ host, address, port }: GuardRequest): GuardRefusal | undefined {
    const ipv4 = embeddedIpv4(address)
    return ipv4 === undefined
      ? notPublic('embedded-ipv4 address')
      : refuseInner({ host, address: ipv4, port })
  }

  function refuseInner(request: GuardRequest): GuardRefusal | undefined {
    const refusal = refuse(request)
    if (refusal === undefined) return undefined
    return { ...refusal, detail: `embedded-ipv4: ${refusal.detail}` }
  }

  function isGrantedSingly(name: Hostname, address: IpAddress): boolean {
    const ofName = exact.get(name)
    return ofName?.some((prefix) => isSingle(prefix) && prefixCovers(prefix, address)) === true
  }

  function isGranted(
    name: Hostname,
    given: { ofName: readonly Prefix[]; address: IpAddress },
  ): boolean {
    const { ofName, address } = given
    if (ofName.some((prefix) => prefixCovers(prefix, address))) return true
    if (wildcard.size === 0) return false
    for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
      const prefixes = wildcard.get(`*${name.slice(dot)}`)
      if (prefixes?.some((prefix) => prefixCovers(prefix, address)) === true) return true
    }
    return false
  }

  function isOwnListener(address: IpAddress, port: number): boolean {
    return ownListeners().some((listener) => {
      if (listener.port !== port) return false
      if (typeof listener.address !== 'string') return listener.address.text === address.text
      if (listener.address === 'any-v4' && address.bytes.length !== 4) return false
      return ownAddresses().some(({ text }) => text === address.text)
    })
  }

  return { refuse, isOwnListener }
}

function notPublic(detail: string): GuardRefusal {
  return { reason: 'address-not-public', detail }
}

function isWildcard(name: NamePattern): boolean {
  return name.startsWith('*.')
}

function isSingle(prefix: Prefix): boolean {
  return prefix.length === prefix.bytes.length * 8
}

function indexGrants(grants: readonly AddressGrant[]): ReadonlyMap<string, readonly Prefix[]> {
  const index = new Map<string, Prefix[]>()
  for (const { name, prefixes } of grants) {
    const known = index.get(name)
    if (known === undefined) index.set(name, [...prefixes])
    else known.push(...prefixes)
  }
  return index
}
