import type { IpAddress } from '../wire/address.ts'
import type { Hostname } from '../wire/hostname.ts'

export type Resolution =
  | { readonly kind: 'resolved'; readonly addresses: readonly IpAddress[] }
  | { readonly kind: 'failed'; readonly reason: 'dns-failed' | 'dns-timeout' }

/** Names to addresses. Asked only after the name is allowed. Never rejects. */
export interface Resolver {
  resolve(name: Hostname): Promise<Resolution>
}
