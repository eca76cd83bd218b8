import { isCovered } from '../identity/identity-rules.ts'
import type { InboundListener } from '../settings/settings.ts'
import type { ConnectionFacts } from './connection-facts.ts'

/**
 * By which network a connection came. It is the peer that counts, not an address that it forwards: a private endpoint is
 * where a connection comes from. What a member's egress delivers has no network, so it is never private.
 */
export function networkOf(
  listener: InboundListener,
  { peer, delivery }: ConnectionFacts,
): 'private' | 'public' {
  if (listener.network !== 'private' || delivery !== undefined) return 'public'
  return isCovered(listener.clients, peer) ? 'private' : 'public'
}
