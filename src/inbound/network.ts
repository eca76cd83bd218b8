import { isCovered } from '../identity/identity-rules.ts'
import type { PrivateEndpoint } from '../perimeter/resource.ts'
import type { ResourcePolicy } from '../policy/snapshot.ts'
import type { InboundListener } from '../settings/settings.ts'
import type { IpAddress } from '../wire/address.ts'
import type { ConnectionFacts } from './connection-facts.ts'

/** By which network a connection came, and which of the resource's private endpoints that was, where it says one. */
export interface Arrival {
  readonly network: 'private' | 'public' | 'not-approved'
  /** For the log. */
  readonly detail: string | undefined
}

const byPublic: Arrival = { network: 'public', detail: undefined }
const byPrivate: Arrival = { network: 'private', detail: undefined }

/**
 * By which network a connection came. It is the peer that counts, not an address that it forwards: a private endpoint is
 * where a connection comes from. What a member's egress delivers has no network, so it is never private. A link id says
 * which private endpoint it was, and then nothing else is asked: only the resource approves one.
 */
export function arrivalOf(
  { network, clients }: InboundListener,
  { resource }: ResourcePolicy,
  { peer, proxied, delivery }: ConnectionFacts,
): Arrival {
  if (delivery !== undefined) return byPublic
  if (proxied?.kind === 'forwarded' && proxied.linkId !== undefined) {
    return arrivalBy(proxied.linkId, resource?.privateEndpoints)
  }
  return network === 'private' && isCovered(clients, peer) ? byPrivate : byPublic
}

function arrivalBy(linkId: number, endpoints: readonly PrivateEndpoint[] = []): Arrival {
  const found = endpoints.find((endpoint) => endpoint.linkId === linkId)
  if (found === undefined) {
    return { network: 'not-approved', detail: `unknown private endpoint link ${linkId}` }
  }
  const network = found.status === 'Approved' ? 'private' : 'not-approved'
  return { network, detail: `private endpoint ${found.name}: ${found.status}` }
}

/**
 * Why nothing that a connection says about its caller can count, in words for the log. A header is there exactly if the
 * peer has to send one as settings are now: THREAT: after a reload an address may have been claimed by somebody who is no
 * longer believed, and a proxy's own address may stand for callers that nobody knows.
 */
export function headerFault(
  listener: InboundListener,
  { peer, proxied, delivery }: ConnectionFacts,
): string | undefined {
  if (delivery !== undefined) return undefined
  const isOwed = hasToSendHeader(listener, peer)
  if (isOwed === (proxied !== undefined)) return undefined
  return isOwed ? 'no PROXY header from its peer' : 'PROXY header of a peer that is not believed'
}

/** From everybody else a header is never read: it would be the client's own writing. */
export function hasToSendHeader(
  listener: InboundListener | undefined,
  peer: IpAddress | undefined,
): boolean {
  const trusted = listener?.proxyProtocol?.trustedPrefixes
  return trusted !== undefined && isCovered(trusted, peer)
}
