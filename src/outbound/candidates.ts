import type { GuardRefusal } from '../policy/address-guard.ts'
import type { InForce } from '../settings/in-force.ts'
import type { Resolution, Resolver } from '../transport/resolve.ts'
import type { IpAddress } from '../wire/address.ts'
import type { Host } from '../wire/authority.ts'
import type { Asked } from './verdict.ts'

/**
 * Addresses at which an allowed destination outside could be dialled, before the guard has seen them: a literal is
 * itself, a name has its fixed answer or is asked of the resolver, and only that takes time.
 */
export function findCandidates(
  host: Host,
  sources: { readonly inForce: InForce; readonly resolver: () => Resolver },
): Resolution | Promise<Resolution> {
  if (host.kind === 'address') return { kind: 'resolved', addresses: [host] }
  const fixed = sources.inForce.settings.egress.hosts.get(host.name)
  if (fixed !== undefined) return { kind: 'resolved', addresses: fixed }
  return sources.resolver().resolve(host.name)
}

export interface Vetted {
  /** What may be dialled, in the order given. */
  readonly addresses: readonly IpAddress[]
  /** The first that may not, and why not. */
  readonly refused: (GuardRefusal & { readonly address: IpAddress }) | undefined
}

/** Splits candidates into what the guard lets through for this destination and what it does not. */
export function vet(candidates: readonly IpAddress[], asked: Asked, inForce: InForce): Vetted {
  const { host, port } = asked.destination
  const addresses: IpAddress[] = []
  let refused: Vetted['refused']
  for (const address of candidates) {
    const refusal = inForce.guard.refuse({ host, address, port })
    if (refusal === undefined) addresses.push(address)
    else refused ??= { ...refusal, address }
  }
  return { addresses, refused }
}
