import type { CloseReason } from '../reasons.ts'
import type { Settings } from '../settings/settings.ts'
import type { DialAuthority } from '../transport/dial-authority.ts'
import type { Upstream } from '../transport/relay/upstream.ts'
import type { TunnelSlots } from '../transport/tunnel-slots.ts'
import { seconds } from '../units.ts'
import type { OwnVia } from '../wire/via.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { OutboundPorts } from './ports.ts'
import type { OriginConnection } from './undici.ts'

/** What the requests of one listener share. */
export interface ProxyContext {
  readonly listener: string
  readonly ports: OutboundPorts
  readonly dialPeer: DialAuthority
  readonly via: OwnVia
  readonly slots: TunnelSlots
  readonly pool: ConnectionPool<OriginConnection>
  /** Those of the relay. */
  readonly upstreams: ConnectionPool<Upstream>
  /** Client connections that the relay serves. */
  readonly relayed: Set<Relayed>
  /** Everything under way, from its head on. */
  readonly underWay: AllUnderWay
  /** No connection is kept for another request. */
  isStopping: boolean
}

/** A client's connection that the relay serves. */
export interface Relayed extends UnderWay {
  /** A request in absolute-form is under way; tunnels stand for themselves. */
  readonly isBusy: boolean
  /** Ends it if it is idle, else with the answer under way. */
  drain(): void
  /** Another policy is in force: nothing of the old one is kept. */
  policyChanged(): void
}

export interface UnderWay {
  /** Ends it at once. A second call does nothing. */
  end(reason: CloseReason): void
}

/** What is under way, of whatever kind; whoever closes hears when nothing is. */
export class AllUnderWay extends Set<UnderWay> {
  #empty: PromiseWithResolvers<void> | undefined

  override delete(one: UnderWay): boolean {
    const wasThere = super.delete(one)
    if (this.size === 0) this.#empty?.resolve()
    return wasThere
  }

  /** Resolves once there is none. */
  async whenEmpty(): Promise<void> {
    if (this.size === 0) return
    this.#empty ??= Promise.withResolvers<void>()
    await this.#empty.promise
  }
}

/** A request that has not been answered in full. */
export interface Unanswered extends UnderWay {
  /** The connection is gone or about to go: ends it, and nobody is told. A second call does nothing. */
  leave(closeReason?: CloseReason): void
}

/** Without a policy everything is denied, but it still has to be read. */
const withoutSettings = { headerCount: 100, bodyIdleMs: seconds(60) }

export function headerCountOf(settings: Settings | undefined): number {
  return settings?.limits.headerCount ?? withoutSettings.headerCount
}

export function bodyIdleMsOf(settings: Settings | undefined): number {
  return settings?.timeouts.bodyIdleMs ?? withoutSettings.bodyIdleMs
}
