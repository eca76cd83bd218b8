import type { ListenAddress, Settings } from '../settings/settings.ts'
import type { Bound } from './bound.ts'

export interface Share {
  /** What is bound by whom; a port that the system chose once is everybody's. */
  readonly bound: readonly Bound[]
  readonly threads: number
  /** From 0. */
  readonly index: number
}

/**
 * The settings of one of several serving threads: `limits.connections` divided, because each thread counts its own (what a
 * resource has open is counted for all of them); ports as they were found; and listeners on a Unix socket, which cannot
 * be shared, with the first.
 */
export function shareOut(settings: Settings, { bound, threads, index }: Share): Settings {
  const { limits } = settings
  const addressOf = (side: Bound['side'], name: string): ListenAddress | undefined =>
    bound.find((one) => one.side === side && one.name === name)?.address
  return {
    ...settings,
    limits: { ...limits, connections: Math.max(1, Math.floor(limits.connections / threads)) },
    inbound: settings.inbound.map((listener) => {
      const found = addressOf('inbound', listener.name)
      return found === undefined || 'socket' in found ? listener : { ...listener, listen: found }
    }),
    outbound: settings.outbound
      .filter(({ listen }) => index === 0 || !('socket' in listen))
      .map((listener) => ({
        ...listener,
        listen: addressOf('outbound', listener.name) ?? listener.listen,
      })),
  }
}
