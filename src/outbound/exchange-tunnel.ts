import type { Duplex } from 'node:stream'
import type { CloseReason } from '../reasons.ts'
import { type Gate, openTunnel, type Tunnel } from '../transport/tunnel.ts'
import type { Exchange } from './exchange.ts'
import type { Admitted } from './verdict.ts'

export interface TunnelTimeouts {
  readonly tunnelIdleMs: number
  readonly tunnelLifetimeMs: number
}

/** Copied, so that a tunnel does not keep what was in force alive. */
export function tunnelTimeoutsOf({ inForce }: Admitted): TunnelTimeouts {
  const { tunnelIdleMs, tunnelLifetimeMs } = inForce.settings.timeouts
  return { tunnelIdleMs, tunnelLifetimeMs }
}

export interface ExchangeTunnelOptions {
  readonly client: Duplex
  readonly upstream: Duplex
  /** What the client reads before anything else: 200 or 101. */
  readonly greeting: string
  readonly status: number
  readonly clientHead: Buffer
  readonly upstreamHead: Buffer
  readonly gate?: Gate | undefined
  readonly timeouts: TunnelTimeouts
  /** Called once, when both sides are gone and counted. */
  readonly onEnd: (closeReason: CloseReason) => void
}

/** Makes an exchange a tunnel: the greeting, then bytes both ways until one of the times is up. */
export function openExchangeTunnel(exchange: Exchange, options: ExchangeTunnelOptions): Tunnel {
  const { client, upstream, greeting, status, clientHead, upstreamHead, gate, onEnd } = options
  const { tunnelIdleMs, tunnelLifetimeMs } = options.timeouts
  exchange.becomeTunnel(status)
  client.write(greeting, 'latin1')
  return openTunnel({
    client,
    upstream,
    clientHead,
    upstreamHead,
    gate,
    idleMs: tunnelIdleMs,
    lifetimeMs: tunnelLifetimeMs,
    onClose: ({ bytesIn, bytesOut, closeReason }) => {
      exchange.bytesIn = bytesIn
      exchange.bytesOut = bytesOut
      onEnd(closeReason)
    },
  })
}
