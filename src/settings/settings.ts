import type { Guid } from '../perimeter/guid.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { TlsLeniency } from '../policy/judge-opening.ts'
import type { IpAddress, Prefix } from '../wire/address.ts'
import type { Authority } from '../wire/authority.ts'
import type { Hostname, NamePattern } from '../wire/hostname.ts'
import type { NoProxy } from './no-proxy.ts'
import type { PublicJwk } from '../wire/jwks.ts'
import type { AlternativeName } from '../wire/subject-alternative-names.ts'
import type { IssuerValue } from './schema.ts'

/** Settings of one instance: validated, defaulted, canonical, deep-frozen. Paths are absolute. Times are milliseconds. */
export interface Settings {
  /** The file that they were read from. */
  readonly file: string
  /** This instance's name in the access log; default the machine's host name. */
  readonly instance: string
  /** Where bare resource ids live. */
  readonly scope: Scope | undefined
  readonly policy: {
    readonly files: readonly string[]
    /** Absent: rules can name no service tag. */
    readonly serviceTagsFile?: string
  }
  readonly resources: readonly Resource[]
  readonly links: { readonly autoApprove: readonly ResourceId[] }
  readonly inbound: readonly InboundListener[]
  readonly outbound: readonly OutboundListener[]
  readonly identity: IdentitySettings
  readonly egress: EgressSettings
  readonly audit: AuditSettings
  readonly health: { readonly listen: TcpAddress } | undefined
  readonly admin: { readonly socket: string } | undefined
  /** Threads that serve; 1: the main thread does. */
  readonly workers: number
  readonly lane: Lane
  readonly limits: Limits
  readonly timeouts: Timeouts
}

export interface Scope {
  readonly subscriptionId: Guid
  readonly resourceGroup: string
}

/** `port` 0 takes a free one. */
export interface TcpAddress {
  readonly host: string
  readonly port: number
}

export type ListenAddress = TcpAddress | SocketAddress

export interface SocketAddress {
  readonly socket: string
  /** Permissions of the socket, never writable for everyone. Absent: 0600. */
  readonly mode?: number
}

export interface InboundListener {
  readonly name: string
  /** `member`: it takes streams of members from other instances. `tcp` where its `resource` has a `tcp:` back end: a connection is for that one, whatever its bytes are. */
  readonly protocol: 'http' | 'tcp' | 'member'
  readonly listen: TcpAddress
  readonly network: 'public' | 'private'
  /** `private` only: connections from these arrive over a private endpoint, all others are public. */
  readonly clients: readonly Prefix[]
  /** Every request or connection is for this one, whatever it asks for. */
  readonly resource: ResourceId | undefined
  /** Peers believed about the client's address, and about nothing else. */
  readonly trustedProxies: readonly Prefix[]
  readonly forwardedHeader: 'x-forwarded-for' | 'forwarded'
  /** Undefined: no PROXY header is ever read. */
  readonly proxyProtocol: ProxyProtocol | undefined
  readonly tls: ListenerTls | undefined
}

export interface ProxyProtocol {
  /** Peers that have to begin with a PROXY header, and are believed about the client's address and private endpoint. */
  readonly trustedPrefixes: readonly Prefix[]
}

export interface ListenerTls {
  readonly certificateFile: string
  readonly keyFile: string
  /** Absent: clients are not asked for any. */
  readonly clientCertificates?: ClientCertificates | undefined
}

export interface ClientCertificates {
  /** `required`: without a valid one a caller is refused. */
  readonly mode: 'required' | 'optional'
  readonly authorities: readonly CertificateAuthority[]
  /** Authorities between one of those and the certificate of a client. */
  readonly maxDepth: number
  readonly mapping: readonly {
    readonly name: AlternativeName
    readonly resource: ResourceId
    readonly perimeter: Guid | undefined
  }[]
}

/** As read together with the settings, so that what decides is all there. */
export interface CertificateAuthority {
  /** Its key in `IdentitySettings.speakers`. */
  readonly speaker: string
  /** PEM, one certificate each. */
  readonly certificates: readonly string[]
  /** PEM, one list of revocations each; undefined: nothing is known to be revoked. */
  readonly lists: readonly string[] | undefined
}

export interface OutboundListener {
  readonly name: string
  readonly listen: ListenAddress
  /** The member it speaks for, whoever asks; undefined: `callers` say for whom. */
  readonly resource: ResourceId | undefined
  /** Members by how they are known; whoever is none of them is `unknown-caller`. Empty beside a `resource`. */
  readonly callers: readonly OutboundCaller[]
  /** Undefined: whoever can connect (loopback or a Unix socket only). */
  readonly clients: readonly Prefix[] | undefined
}

/** A member of a listener that speaks for several. */
export interface OutboundCaller {
  readonly resource: ResourceId
  /** Whoever comes from here without credentials is this member; no two callers share an address. */
  readonly prefixes: readonly Prefix[]
  readonly basic: BasicCaller | undefined
  /** Whoever presents a token of the member's identity that was made for this audience is this member. */
  readonly tokenAudience: string | undefined
}

export interface BasicCaller {
  readonly user: string
  /** `perimeter/secret-hash.ts`. Never to be printed. */
  readonly secretHash: string
}

export interface IdentitySettings {
  readonly headers: {
    readonly subscription: string
    readonly perimeter: string
    readonly resource: string
    /** Of tokens, where they have a header of their own. */
    readonly token?: string
  }
  /** Peers that overwrite those headers themselves. */
  readonly headersTrustedFrom: readonly Prefix[]
  /** What whoever proves who calls may speak for, by the key of its proofs. */
  readonly speakers: ReadonlyMap<string, Speaker>
  /** Undefined: none is looked at. */
  readonly tokens: TokenSettings | undefined
}

/** An issuer or certificate authority: what it may speak for, and to whom. */
export interface Speaker {
  readonly perimeters: readonly Guid[]
  readonly subscriptions: readonly Guid[]
  /** Who counts as meant by what it says, where a resource has no audience of its own. */
  readonly audiences?: readonly string[]
}

export interface TokenSettings {
  /** Name of the header that carries them, lower case. */
  readonly header: string
  readonly issuers: readonly TokenIssuer[]
}

export interface TokenIssuer {
  /** Its key among the speakers. */
  readonly speaker: string
  readonly issuer: string
  readonly algorithms: IssuerValue['algorithms']
  readonly clockToleranceMs: number
  readonly keys: TokenKeys
}

export type TokenKeys =
  | { readonly kind: 'file'; readonly keys: readonly PublicJwk[] }
  | {
      readonly kind: 'url'
      readonly url: string
      readonly refreshMs: number
      readonly outageMs: number
      readonly intervalMs: number
    }

/** What carries HTTP/1.1. */
export type Lane = 'relay' | 'library'

export interface EgressSettings {
  readonly ports: readonly number[]
  /** What a name may resolve to although it is not public. */
  readonly privateAddresses: readonly PrivateAddressGrant[]
  /** Fixed answers, guarded like DNS answers. */
  readonly hosts: ReadonlyMap<Hostname, readonly IpAddress[]>
  /** `address` or `address:port`; empty: the system's. */
  readonly nameservers: readonly string[]
  /** Of the TLS inside a tunnel to a name. */
  readonly tls: TlsLeniency
  /** What the network translates to IPv4: judged as the IPv4 address. */
  readonly nat64: readonly Prefix[]
  /** Undefined: destinations are resolved, guarded and dialled from here. */
  readonly upstreamProxy: UpstreamProxy | undefined
}

/** A proxy that is the one way out. */
export interface UpstreamProxy {
  readonly scheme: 'http' | 'https'
  readonly authority: Authority
  readonly credentialsFile?: string
  /** PEM; absent: the system's authorities. */
  readonly caFile?: string
  /** Reached directly all the same. */
  readonly noProxy: readonly NoProxy[]
}

export interface PrivateAddressGrant {
  readonly name: NamePattern
  readonly prefixes: readonly Prefix[]
}

export interface AuditSettings {
  /** A path, or `-` for standard output. */
  readonly file: string
  /** An exchange that lasts longer writes an end line. */
  readonly endLineAfterMs: number
  readonly flushIntervalMs: number
  /** Records waiting for the disk beyond this are lost, counted and reported. */
  readonly bufferBytes: number
  /** What becomes of new work while records are lost. What is open goes on either way. */
  readonly onFailure: OnAuditFailure
}

export type OnAuditFailure = 'deny' | 'continue'

export interface Limits {
  readonly headerBytes: number
  readonly headerCount: number
  /** Open connections per listener. */
  readonly connections: number
  /** Open streams of an HTTP/2 connection. */
  readonly concurrentStreams: number
  /** Open tunnels, upgrades and TCP connections per resource. */
  readonly tunnelsPerResource: number
}

export interface Timeouts {
  /** From the first byte of a request head to its last; also the TLS handshake. */
  readonly headerMs: number
  /** Between two requests on one connection. */
  readonly keepAliveMs: number
  /** Without a byte of a body in either direction. */
  readonly bodyIdleMs: number
  readonly connectMs: number
  readonly dnsMs: number
  readonly tunnelIdleMs: number
  readonly tunnelLifetimeMs: number
  /** After SIGTERM, for what is in flight. */
  readonly drainMs: number
}
