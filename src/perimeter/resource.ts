import type { Prefix } from '../wire/address.ts'
import type { Authority } from '../wire/authority.ts'
import type { Hostname } from '../wire/hostname.ts'
import type { ResourceId } from './resource-id.ts'

export type PublicNetworkAccess = 'Enabled' | 'Disabled' | 'SecuredByPerimeter'

/** Where a resource's service really is. `host` is dialled as written. */
export interface Backend {
  readonly scheme: 'http' | 'https' | 'tcp'
  readonly authority: Authority
  /** `https` only: absolute path of the PEM file that its certificate is verified against; absent: the system's authorities. */
  readonly caFile?: string
  /** `https` only: requests that came in HTTP/2 go on in HTTP/2. Absent: everything goes on in HTTP/1.1. */
  readonly protocol?: 'http2'
}

/** The resource's own rules, which decide where no perimeter does. */
export interface Firewall {
  readonly defaultAction: 'Allow' | 'Deny'
  readonly ipRules: readonly Prefix[]
}

/** A private endpoint connection of the resource (Azure: `privateEndpointConnections`). */
export interface PrivateEndpoint {
  /** Azure Private Link's number of it, unsigned 32 bits. */
  readonly linkId: number
  readonly name: string
  /** Whatever is not approved is denied. */
  readonly status: 'Approved' | 'Pending' | 'Rejected'
}

/** How another instance is verified. */
export interface EndpointTls {
  /** Absolute path of the PEM file that its certificate is verified against. */
  readonly caFile: string
  /** A name in its certificate, as Node writes it: `URI:spiffe://…`. */
  readonly name: string
}

/** Absolute paths of PEM files. */
export interface MemberCertificate {
  readonly certificateFile: string
  readonly keyFile: string
}

/** A service that this instance fronts (`backend`), speaks for, or knows as a peer (`endpoint`). */
export interface Resource {
  readonly id: ResourceId
  readonly hosts: readonly Hostname[]
  readonly backend?: Backend
  readonly endpoint?: Authority
  /** With an `endpoint`: it takes streams of members, over TLS. */
  readonly endpointTls?: EndpointTls
  /** What proves to other instances that a stream is of this resource. */
  readonly memberCertificate?: MemberCertificate
  /** Absent: `Enabled` while a perimeter associates the resource, else `SecuredByPerimeter`. */
  readonly publicNetworkAccess?: PublicNetworkAccess
  /** Absent: everyone. */
  readonly firewall?: Firewall
  /** Whom tokens must be made for to say anything here; absent: the default of their issuer. */
  readonly audience?: string
  /** Absent: none, so that whoever arrives over one is denied. */
  readonly privateEndpoints?: readonly PrivateEndpoint[]
}
