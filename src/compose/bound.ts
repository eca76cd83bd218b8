import type { OwnListener } from '../policy/address-guard.ts'
import type { ListenAddress } from '../settings/settings.ts'
import { parseAddress } from '../wire/address.ts'

/** A listener and the address that it really has. */
export interface Bound {
  readonly side: 'inbound' | 'outbound' | 'health' | 'admin'
  /** Of the settings; the side's own name for the two that have none. */
  readonly name: string
  readonly address: ListenAddress
}

/** What the guard must not dial: everything bound so far, asked anew each time. Unix sockets cannot be dialled by name. */
export function createOwnListeners(bound: readonly Bound[]): () => readonly OwnListener[] {
  let known: readonly OwnListener[] = []
  let knownCount = 0
  return () => {
    if (knownCount !== bound.length) {
      known = bound.flatMap(({ address }) => ownListener(address))
      knownCount = bound.length
    }
    return known
  }
}

function ownListener(address: ListenAddress): readonly OwnListener[] {
  if ('socket' in address) return []
  const { host, port } = address
  if (host === '0.0.0.0') return [{ address: 'any-v4', port }]
  if (host === '::') return [{ address: 'any-v6', port }]
  const parsed = parseAddress(host)
  // What the system reports is always an address; if it ever were not, every address of ours is the safe reading.
  return [{ address: parsed ?? 'any-v6', port }]
}
