import type { IpAddress } from '../wire/address.ts'
import type { Authority } from '../wire/authority.ts'
import type { Hostname } from '../wire/hostname.ts'
import type { AddressGuard } from './address-guard.ts'
import type { Explanation } from './explain.ts'
import type { PolicySnapshot } from './snapshot.ts'

/** What the guard says of an address that an allowed destination leads to. */
export interface ExplainedAddress {
  readonly address: string
  /** Why it may not be dialled; undefined where it may. */
  readonly refused: string | undefined
}

/**
 * Asks the guard about the addresses that are known without asking anybody: a literal, and the fixed answers of a name.
 * Undefined where they are known only when it is dialled, and where the guard is not asked: after a denial, and on the
 * way to a member that settings give a `backend` or an `endpoint`. Pure.
 */
export function explainAddresses(
  { decision }: Explanation,
  asked: {
    readonly destination: Authority
    readonly snapshot: PolicySnapshot
    readonly guard: AddressGuard
    /** `egress.hosts`. */
    readonly fixedAnswers: ReadonlyMap<Hostname, readonly IpAddress[]>
  },
): readonly ExplainedAddress[] | undefined {
  const { snapshot, guard, fixedAnswers } = asked
  const { host, port } = asked.destination
  if (decision.effect === 'deny') return undefined
  const member = host.kind === 'name' ? snapshot.resourcesByHost.get(host.name) : undefined
  if (member?.resource?.backend !== undefined) return undefined
  if (member?.resource?.endpoint !== undefined) return undefined
  const addresses = host.kind === 'address' ? [host] : fixedAnswers.get(host.name)
  return addresses?.map((address) => ({
    address: address.text,
    refused: guard.refuse({ host, address, port })?.detail,
  }))
}
