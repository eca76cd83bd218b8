import { randomUUID } from 'node:crypto'
import type { Meter } from '../audit/meter.ts'
import type { OperationalLog } from '../audit/operational-log.ts'
import type { AccessLog } from '../audit/record.ts'
import { createInboundProxy } from '../inbound/inbound-proxy.ts'
import { createTcpProxy } from '../inbound/tcp-proxy.ts'
import { createOutboundProxy } from '../outbound/outbound-proxy.ts'
import type { CurrentInForce } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import type { OpenConnections } from '../transport/connections.ts'
import { createDial } from '../transport/dial.ts'
import type { Bound } from './bound.ts'
import type { Side } from './data-plane.ts'
import { createDeliver } from './deliver.ts'
import { finish } from './drain.ts'
import { createFollowingResolver, followSwap } from './follow.ts'
import type { ListenerPems } from './read-secure-contexts.ts'

export interface ServingPorts {
  /** Listeners to open. What else settings say is looked up in what is in force. */
  readonly listeners: Pick<Settings, 'inbound' | 'outbound'>
  readonly currentInForce: CurrentInForce
  readonly accessLog: AccessLog
  readonly openConnections: OpenConnections
  readonly meter: Meter
  readonly log: OperationalLog
  /** Where the listeners of this instance are, as far as they are open. */
  readonly bound: readonly Bound[]
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** All listeners on one thread. */
export interface Serving {
  /** Outbound first: a workload that is reached can reach. Rejects with `PerimeterError` RF_LISTEN; the caller closes. */
  listen(pems: ListenerPems, onBound: (bound: Bound) => void): Promise<void>
  /** Lets everything that keeps something follow a swap. */
  follow(swap: Parameters<typeof followSwap>[1]): Promise<void>
  finish(side: Side, timeoutMs: number): Promise<boolean>
  close(): Promise<void>
}

export function createServing(given: ServingPorts): Serving {
  const { listeners, bound, ...rest } = given
  const { currentInForce, openConnections } = given
  const ports = {
    ...rest,
    newCorrelationId: randomUUID,
    monotonicNow: () => performance.now(),
  }
  const dial = createDial()
  const inbound = listeners.inbound.map(({ name, protocol }) =>
    protocol === 'tcp' ? createTcpProxy(name, { ...ports, dial }) : createInboundProxy(name, ports),
  )
  const outboundPorts = {
    ...ports,
    resolver: createFollowingResolver(currentInForce),
    dial,
    deliver: createDeliver(inbound, { bound, currentInForce }),
  }
  const outbound = listeners.outbound.map(({ name }) => createOutboundProxy(name, outboundPorts))

  return {
    async listen(pems, onBound) {
      for (const proxy of outbound) {
        onBound({ side: 'outbound', name: proxy.name, address: await proxy.listen() })
      }
      for (const proxy of inbound) {
        const pem = pems.get(proxy.name)
        if (pem !== undefined) proxy.setSecureContext(pem)
        onBound({ side: 'inbound', name: proxy.name, address: await proxy.listen() })
      }
    },
    follow: (swap) => followSwap({ openConnections, outbound, inbound }, swap),
    finish: (side, timeoutMs) => finish(side === 'inbound' ? inbound : outbound, timeoutMs),
    async close() {
      for (const proxy of inbound) await proxy.close()
      for (const proxy of outbound) await proxy.close()
    },
  }
}
