import type { ListenAddress, Settings, TcpAddress } from '../settings/settings.ts'
import { type AddressLocks, lockAddress, lockAddresses } from '../workers/address-lock.ts'
import type { Bound } from './bound.ts'

/** Locks on all addresses that several threads of this instance share. */
export interface ListenerLocks {
  /** Locks those that the system has chosen. */
  found(bound: readonly Bound[]): Promise<void>
  /** Every listener is open. */
  started(): void
  release(): void
}

/** Throws `PerimeterError` RF_LISTEN where another instance, or anybody else, listens on one of them. */
export async function lockListeners(
  settings: Pick<Settings, 'inbound' | 'outbound'>,
): Promise<ListenerLocks> {
  const written = [...settings.inbound, ...settings.outbound]
    .map(({ listen }) => listen)
    .filter((address) => isTcp(address))
  const held: AddressLocks[] = [await lockAddresses(written.filter(({ port }) => port !== 0))]
  return {
    async found(bound) {
      for (const { address } of bound) {
        if (!isTcp(address)) continue
        if (written.some(({ port }) => port === address.port)) continue
        held.push(await lockAddress(address))
      }
    },
    started() {
      for (const locks of held) locks.started()
    },
    release() {
      for (const locks of held) locks.release()
    },
  }
}

function isTcp(address: ListenAddress): address is TcpAddress {
  return !('socket' in address)
}
