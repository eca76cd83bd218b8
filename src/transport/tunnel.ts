import type { Duplex } from 'node:stream'
import type { CloseReason } from '../reasons.ts'

/**
 * Two sockets joined byte for byte, with back-pressure and half-close both ways:
 *
 *   client ── bytesIn ──▶ upstream
 *   client ◀─ bytesOut ── upstream
 */

export interface TunnelOptions {
  /** Both are owned by the tunnel from here on: it destroys them. */
  readonly client: Duplex
  readonly upstream: Duplex
  /** Bytes that the client sent early, for the upstream; may be empty. */
  readonly clientHead: Buffer
  /** Bytes that the upstream sent early, for the client; may be empty. */
  readonly upstreamHead: Buffer
  readonly idleMs: number
  readonly lifetimeMs: number
  /** Called exactly once, when both are gone. */
  readonly onClose: (end: TunnelEnd) => void
}

export interface TunnelEnd {
  readonly bytesIn: number
  readonly bytesOut: number
  readonly closeReason: CloseReason
}

export interface Tunnel {
  /** Ends it at once, for this reason. A second call does nothing. */
  end(closeReason: CloseReason): void
}
