import type { Socket } from 'node:net'
import type { Settings } from '../settings/settings.ts'
import { createDropCounter } from '../transport/dropped.ts'
import { type ProxyHeaderFailure, takeProxyHeader } from '../transport/take-proxy-header.ts'
import type { ProxyHeader } from '../wire/proxy-protocol.ts'
import { admit } from './admit.ts'
import type { OwnPeer } from './connection-facts.ts'
import { hasToSendHeader } from './network.ts'
import type { InboundPorts } from './ports.ts'

/**
 * Connections of one listener that still owe their PROXY header:
 *
 *   accepted ─┬─ peer in `proxyProtocol.trustedPrefixes` ─ header ─┬─ TLS, HTTP, bytes
 *             │                                                    └─ refused: a record, closed
 *             └─ everybody else, whose bytes are their own ─────────── TLS, HTTP, bytes
 */
export interface ProxyIntake {
  /** How many there are. */
  readonly size: number
  /** Whether the header has to come first; then `onHeader` is called with it, or never. The socket handles its errors. */
  take(
    socket: Socket,
    given: { readonly from: OwnPeer; readonly onHeader: (header: ProxyHeader) => void },
  ): boolean
  /** Destroys them all. */
  destroy(): void
}

const details = {
  malformed: 'PROXY header that cannot be read',
  'cut-off': 'PROXY header that was cut off',
  'too-slow': 'PROXY header took too long',
} as const satisfies Record<Exclude<ProxyHeaderFailure, 'silent'>, string>

export function createProxyIntake(listenerName: string, ports: InboundPorts): ProxyIntake {
  const waiting = new Set<Socket>()
  const settings = (): Settings | undefined => ports.currentInForce()?.settings

  const countRefused = createDropCounter((refused) => {
    ports.log.warn(
      { listener: listenerName, refused },
      'connections were refused: no PROXY header from a peer that has to send one',
    )
  })

  function refuse(from: OwnPeer, failure: ProxyHeaderFailure): void {
    // A probe of a load balancer connects and says nothing; there is nobody to answer and nothing to record.
    if (failure === 'silent') return
    countRefused()
    admit(
      ports,
      { listener: listenerName, ...from, delivery: undefined },
      {
        correlationId: ports.newCorrelationId(),
        refuseAs: { reason: 'bad-request', detail: details[failure] },
        revoke: () => {},
      },
    )
  }

  return {
    get size() {
      return waiting.size
    },
    take(socket, { from, onHeader }) {
      const { inbound, timeouts } = settings() ?? {}
      const listener = inbound?.find(({ name }) => name === listenerName)
      if (timeouts === undefined || !hasToSendHeader(listener, from.peer)) return false
      waiting.add(socket)
      socket.once('close', () => waiting.delete(socket))
      takeProxyHeader(socket, {
        timeoutMs: timeouts.headerMs,
        onHeader(header) {
          waiting.delete(socket)
          onHeader(header)
        },
        onFailure: (failure) => refuse(from, failure),
      })
      return true
    },
    destroy() {
      for (const socket of waiting) socket.destroy()
    },
  }
}
