import type { Duplex } from 'node:stream'
import {
  openTunnel,
  type Tunnel,
  type TunnelEnd,
  type TunnelOptions,
} from '../../src/transport/tunnel.ts'
import { seconds } from '../../src/units.ts'

/** A tunnel between two connections: `client` and `upstream` are the far ends, in the hands of the test. */
export interface Joined<End extends Duplex> {
  readonly tunnel: Tunnel
  readonly client: End
  readonly upstream: End
  /** The ends that the tunnel holds. */
  readonly ends: { readonly client: End; readonly upstream: End }
  readonly closed: Promise<TunnelEnd>
  /** How often `onClose` was called. */
  readonly timesClosed: () => number
}

export interface AnyPair<End> {
  readonly near: End
  readonly far: End
}

/**
 * The client connected to us (we hold the far end); we connected to the upstream (we hold the near end), in another way
 * if `upstreamPair` says so.
 */
export async function join<End extends Duplex>(
  pair: () => Promise<AnyPair<End>>,
  options: Partial<TunnelOptions> & { readonly upstreamPair?: () => Promise<AnyPair<End>> } = {},
): Promise<Joined<End>> {
  const { upstreamPair = pair, ...given } = options
  const [a, b] = [await pair(), await upstreamPair()]
  const { promise: closed, resolve } = Promise.withResolvers<TunnelEnd>()
  const ends = { client: a.far, upstream: b.near }
  let times = 0
  const tunnel = openTunnel({
    ...ends,
    clientHead: Buffer.alloc(0),
    upstreamHead: Buffer.alloc(0),
    idleMs: seconds(30),
    lifetimeMs: seconds(60),
    onClose: (end) => {
      times++
      resolve(end)
    },
    ...given,
  })
  return { client: a.near, upstream: b.far, ends, tunnel, closed, timesClosed: () => times }
}
