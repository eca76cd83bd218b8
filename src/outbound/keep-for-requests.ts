import { restingMs } from '../transport/relay/upstream-pool.ts'
import { upstreamOver } from '../transport/relay/upstream.ts'
import type { IpAddress } from '../wire/address.ts'
import { poolKey } from './connection-pool.ts'
import type { ProxyContext } from './proxy-context.ts'
import type { Upstream } from './reach.ts'
import { openConnection } from './undici.ts'
import type { Admitted, Asked } from './verdict.ts'

/**
 * Keeps what was dialled for a tunnel for the requests that it turned out to be for. Takes the stream over. Never rejects;
 * undefined: it is kept already.
 */
export function keepForRequests(
  context: ProxyContext,
  kept: {
    readonly upstream: Upstream
    readonly admitted: Admitted
    readonly address: IpAddress | undefined
    readonly asked: Asked
  },
): Promise<void> | undefined {
  const { upstream, admitted, address, asked } = kept
  const { settings, version } = admitted.inForce
  if (upstream.kind !== 'dialled' || context.ports.currentInForce()?.version !== version) {
    upstream.stream.destroy()
    return undefined
  }
  const key = poolKey(admitted, asked)
  if (settings.lane === 'relay') {
    const connection = upstreamOver(upstream.stream)
    connection.rest(restingMs(undefined))
    context.upstreams.give({ connection, key, version, address })
    return undefined
  }
  const { headerBytes } = settings.limits
  return openConnection(upstream.stream, { headerBytes }).then(
    (connection) => context.pool.give({ connection, key, version, address }),
    // It is gone, and the request dials another.
    () => undefined,
  )
}
