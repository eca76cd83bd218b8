import type { Guid } from '../perimeter/guid.ts'
import type { IpAddress } from '../wire/address.ts'
import type { Host } from '../wire/authority.ts'
import type { ResourcePolicy } from './snapshot.ts'

/** Verified facts about who calls. Nothing in it is a claim: `identity/` has judged the evidence. */
export interface Source {
  /** Undefined where there is none (a Unix socket). */
  readonly address: IpAddress | undefined
  readonly subscriptions: readonly Guid[]
  readonly perimeters: readonly Guid[]
}

export interface InboundRequest {
  readonly resource: ResourcePolicy
  /** `private`: arrived over an approved private endpoint. */
  readonly network: 'public' | 'private'
  readonly source: Source
}

export interface OutboundRequest {
  readonly resource: ResourcePolicy
  readonly destination: { readonly host: Host; readonly port: number }
}
