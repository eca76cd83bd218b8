import type { IpAddress } from '../wire/address.ts'
import type { Host } from '../wire/authority.ts'

/**
 * The guard: which addresses an allowed name may be connected to. It is no access rule and holds in every access mode.
 */
export interface AddressGuard {
  /** Undefined: the address may be dialled for this host; else why not, in words for the log. */
  refuse(request: GuardRequest): string | undefined
}

export interface GuardRequest {
  /** As decided: a name, or the literal that was asked for. */
  readonly host: Host
  readonly address: IpAddress
  readonly port: number
}
