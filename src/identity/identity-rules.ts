import { type IpAddress, type Prefix, prefixCovers } from '../wire/address.ts'
import type { ForwardedHeader } from '../wire/forwarded.ts'
import type { IdentityHeaderNames } from './identity-headers.ts'
import type { Speakers } from './read-proofs.ts'

/** Who is believed about what: two separate lists, which the socket's peer is looked up in, and whose proofs count. */
export interface IdentityRules {
  readonly headers: IdentityHeaderNames
  /** Believed about identity, and about nothing else: they overwrite those headers themselves. */
  readonly headersTrustedFrom: readonly Prefix[]
  /** Believed about the client's address, and about nothing else. */
  readonly trustedProxies: readonly Prefix[]
  readonly forwardedHeader: ForwardedHeader
  readonly speakers: Speakers
}

/** Whether a (short) trust list covers the address; nobody is trusted without one. */
export function isCovered(prefixes: readonly Prefix[], address: IpAddress | undefined): boolean {
  return address !== undefined && prefixes.some((prefix) => prefixCovers(prefix, address))
}
