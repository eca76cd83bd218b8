import type { InForce } from '../settings/in-force.ts'
import type { OpenConnections } from '../transport/connections.ts'
import { createResolver, type Resolver } from '../transport/resolve.ts'
import type { ListenerPem, ListenerPems } from './read-secure-contexts.ts'

/** What is told of a swap. */
export interface Followers {
  readonly openConnections: OpenConnections
  readonly outbound: readonly { policyChanged(): void }[]
  readonly inbound: readonly {
    readonly name: string
    setSecureContext(pem: ListenerPem): void
  }[]
}

/**
 * Lets everything that keeps something for longer than one decision follow a swap: listeners present the certificates
 * that were read, pools forget connections of the old policy, and what is open is judged again. Resolves when nothing
 * that the new policy forbids is open any more. The reference has been swapped before: nothing here decides by the old.
 */
export async function followSwap(
  followers: Followers,
  swap: { readonly version: string; readonly before: ListenerPems; readonly after: ListenerPems },
): Promise<void> {
  for (const proxy of followers.outbound) proxy.policyChanged()
  const judged = followers.openConnections.judgeAgain(swap.version)
  for (const proxy of followers.inbound) {
    const before = swap.before.get(proxy.name)
    const after = swap.after.get(proxy.name)
    if (after === undefined) continue
    if (!isSamePem(before, after)) proxy.setSecureContext(after)
  }
  await judged
}

function isSamePem(before: ListenerPem | undefined, after: ListenerPem): boolean {
  if (after.cert !== before?.cert || after.key !== before.key) return false
  return after.clientAuthorities?.join('') === before.clientAuthorities?.join('')
}

/** The resolver for what is in force: it keeps its answers until settings that concern it change. */
export function createFollowingResolver(currentInForce: () => InForce | undefined): () => Resolver {
  let known: { readonly key: string; readonly resolver: Resolver } | undefined
  let lastSeen: InForce | undefined
  return () => {
    const inForce = currentInForce()
    if (inForce === undefined) return deafResolver
    if (known !== undefined && inForce === lastSeen) return known.resolver
    const { egress, timeouts } = inForce.settings
    const key = JSON.stringify([egress.nameservers, [...egress.hosts], timeouts.dnsMs])
    if (known?.key !== key) {
      const { nameservers, hosts } = egress
      known = { key, resolver: createResolver({ nameservers, hosts, timeoutMs: timeouts.dnsMs }) }
    }
    lastSeen = inForce
    return known.resolver
  }
}

/** Without a policy nothing is resolved. */
const deafResolver: Resolver = {
  resolve: () => Promise.resolve({ kind: 'failed', reason: 'dns-failed' }),
}
