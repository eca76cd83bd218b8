import type { Meter } from '../audit/meter.ts'
import type { OperationalLog } from '../audit/operational-log.ts'
import type { AccessLog } from '../audit/record.ts'
import { createInboundProxy } from '../inbound/inbound-proxy.ts'
import { createMemberProxy } from '../inbound/member-proxy.ts'
import { createTcpProxy } from '../inbound/tcp-proxy.ts'
import { createOutboundProxy } from '../outbound/outbound-proxy.ts'
import type { CurrentInForce } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import type { OpenConnections } from '../transport/connections.ts'
import { createDial } from '../transport/dial.ts'
import type { Bound } from './bound.ts'
import { createCorrelationIds } from './correlation-ids.ts'
import type { Side } from './data-plane.ts'
import { createDeliver } from './deliver.ts'
import { finish } from './drain.ts'
import { fetchJwks } from './fetch-jwks.ts'
import { createFollowingResolver, followSwap } from './follow.ts'
import { createVia } from './own-via.ts'
import type { Openings } from './openings.ts'
import type { ListenerPems } from './read-secure-contexts.ts'
import { createTokenVerification } from './token-verification.ts'

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
  /** Of this start, for all threads alike. */
  readonly boot: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** All listeners on one thread. */
export interface Serving {
  /** Outbound first: a workload that is reached can reach. The caller closes what has opened, whatever has not. */
  listen(pems: ListenerPems, add: Openings['add']): Promise<void>
  /** Lets everything that keeps something follow a swap. */
  follow(swap: Parameters<typeof followSwap>[1]): Promise<void>
  finish(side: Side, timeoutMs: number): Promise<boolean>
  close(): Promise<void>
}

export function createServing(given: ServingPorts): Serving {
  const { listeners, bound, boot, ...rest } = given
  const { currentInForce, openConnections } = given
  const monotonicNow = () => performance.now()
  const ports = {
    ...rest,
    newCorrelationId: createCorrelationIds(),
    monotonicNow,
    verifyToken: createTokenVerification({ ...given, fetchJwks, monotonicNow }),
  }
  const inboundPorts = { ...ports, via: createVia(boot, 'inbound') }
  const dial = createDial()
  const inbound = listeners.inbound.map(({ name, protocol }) => {
    if (protocol === 'tcp') return createTcpProxy(name, { ...inboundPorts, dial })
    if (protocol === 'http') return createInboundProxy(name, inboundPorts)
    return createMemberProxy(name, { ...inboundPorts, deliver: (...asked) => deliver(...asked) })
  })
  const deliver = createDeliver(inbound, { bound, currentInForce })
  const outboundPorts = {
    ...ports,
    via: createVia(boot, 'outbound'),
    resolver: createFollowingResolver(currentInForce),
    dial,
    deliver,
  }
  const outbound = listeners.outbound.map(({ name }) => createOutboundProxy(name, outboundPorts))

  return {
    async listen(pems, add) {
      for (const proxy of outbound) {
        const { name } = proxy
        await add(async () => ({ side: 'outbound', name, address: await proxy.listen() }))
      }
      for (const proxy of inbound) {
        const { name } = proxy
        const pem = pems.get(name)
        if (pem !== undefined) proxy.setSecureContext(pem)
        await add(async () => ({ side: 'inbound', name, address: await proxy.listen() }))
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
