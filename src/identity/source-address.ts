import type { IpAddress } from '../wire/address.ts'
import { readForwarded } from '../wire/forwarded.ts'
import type { Evidence, Unidentified } from './caller.ts'
import { type IdentityRules, isCovered } from './identity-rules.ts'

export interface SourceAddress {
  readonly kind: 'source'
  readonly address: IpAddress | undefined
  /** Undefined where nobody said it. */
  readonly port: number | undefined
  /** Whether the peer is believed about it. */
  readonly believed: boolean
}

/**
 * Where a request comes from: the socket's peer, or, if that is a trusted proxy, what it says. Who sends a PROXY header has
 * said it there: it passes on bytes that it does not read, a client's `X-Forwarded-For` among them. Each hop vouches only for
 * the one to its left, so the list is read from the right and only as far as trusted proxies go. Where all are trusted, it
 * is the leftmost, unless that may be what is left of a list.
 */
export function readSourceAddress(
  { peer, peerPort, proxied, forwarded, mayLackFields }: Evidence,
  { trustedProxies, forwardedHeader }: IdentityRules,
): SourceAddress | Unidentified {
  if (proxied?.kind === 'forwarded') {
    return { kind: 'source', address: proxied.address, port: proxied.port, believed: false }
  }
  // INVARIANT: the lists are asked about the socket's peer, never about an address that a PROXY header claims.
  if (!isCovered(trustedProxies, peer)) {
    return { kind: 'source', address: peer, port: peerPort, believed: false }
  }
  const hops = readForwarded(forwardedHeader, forwarded)
  if (hops === undefined) return { kind: 'bad-request', detail: 'forwarded header is too long' }
  let source: SourceAddress = { kind: 'source', address: peer, port: peerPort, believed: true }
  for (const hop of hops.toReversed()) {
    if (hop.kind === 'unparsable') {
      return { kind: 'bad-request', detail: 'forwarded header that cannot be parsed' }
    }
    source = { kind: 'source', address: hop.address, port: hop.port, believed: true }
    if (!isCovered(trustedProxies, hop.address)) return source
  }
  // THREAT: a client that spoils the line that a proxy appends its address to would be that proxy, or the next one.
  if (mayLackFields) return { kind: 'bad-request', detail: 'no client in the forwarded header' }
  return source
}
