import type { AccessRecord } from '../../src/audit/record.ts'
import type { EndedExchange } from '../../src/audit/meter.ts'
import { createTokenVerification } from '../../src/compose/token-verification.ts'
import type { FetchJwks } from '../../src/identity/key-source.ts'
import { createInboundProxy, type InboundProxy } from '../../src/inbound/inbound-proxy.ts'
import type { ListenerPem } from '../../src/inbound/secure-stream.ts'
import { createTcpProxy } from '../../src/inbound/tcp-proxy.ts'
import type { InboundPorts } from '../../src/inbound/ports.ts'
import { createOpenConnections, type OpenConnections } from '../../src/transport/connections.ts'
import { createDial, type Dial } from '../../src/transport/dial.ts'
import { monotonicNow } from '../../src/transport/slices.ts'
import { setTunnelSlots, type TunnelSlots } from '../../src/transport/tunnel-slots.ts'
import { ownViaOf } from '../../src/wire/via.ts'
import { type HeldInForce, holdInForce } from './in-force.ts'
import type { InForceParts } from './settings-parts.ts'

/** One inbound proxy with everything around it that it needs, and eyes on all that it says. */
export interface InboundWorld {
  readonly proxy: InboundProxy
  readonly port: number
  readonly inForce: HeldInForce
  readonly openConnections: OpenConnections
  readonly records: readonly AccessRecord[]
  /** What it told the meter at the end of each exchange. */
  readonly ended: readonly EndedExchange[]
  /** Opened less ended, of all kinds. */
  readonly metered: () => number
  /** Resolves once nothing is open any more, connections included. */
  quiet(): Promise<void>
  /** Messages of the operational log, `error` and `warn`. */
  readonly complaints: readonly string[]
  /** Resolves once there are records for which this holds, with the first of them. */
  record(holds: (record: AccessRecord) => boolean): Promise<AccessRecord>
  /** Empties what was recorded. */
  forget(): void
  /** Swaps what is in force as a reload does, and judges what is open again. */
  reload(parts: InForceParts): Promise<void>
}

const defaultViaId = '0123456789abcdef'

interface Teardown {
  teardown(end: () => Promise<void>): void
}

/** The listener is called `public` unless the parts have another. `dial` is for one in front of a `tcp:` back end. */
export async function startInbound(
  t: Teardown,
  parts: InForceParts,
  options: {
    readonly pem?: ListenerPem
    readonly dial?: Dial
    readonly slots?: TunnelSlots
    /** Asked for keys of issuers that have a URL. */
    readonly fetchJwks?: FetchJwks
    /** What it adds to Via, as `1.1 ringfence-…`. */
    readonly viaId?: string
  } = {},
): Promise<InboundWorld> {
  const given = { inbound: [{ name: 'public' }], ...parts }
  const inForce = holdInForce(given)
  const records: AccessRecord[] = []
  const ended: EndedExchange[] = []
  const complaints: string[] = []
  let opened = 0
  let waiting: (() => void)[] = []
  const changed = (): void => {
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  }
  const change = async (): Promise<void> => new Promise((resolve) => waiting.push(resolve))
  const openConnections = createOpenConnections({
    version: () => inForce.current()?.version ?? '',
    onFault: (error) => complaints.push(String(error)),
  })
  if (options.slots !== undefined) setTunnelSlots(openConnections, options.slots)
  const complain = (...words: unknown[]): void => {
    complaints.push(
      words.map((word) => (typeof word === 'string' ? word : describe(word))).join(' '),
    )
  }
  let ids = 0
  const [listener] = inForce.current()?.settings.inbound ?? []
  const name = listener?.name ?? 'public'
  const ports = {
    currentInForce: inForce.current,
    accessLog: {
      blocksNewWork: false,
      accept(record: AccessRecord) {
        records.push(record)
        changed()
      },
    },
    openConnections,
    meter: {
      opened: () => opened++,
      ended(exchange: EndedExchange) {
        ended.push(exchange)
        changed()
      },
    },
    log: { debug: () => {}, info: () => {}, warn: complain, error: complain },
    newCorrelationId: () => `correlation-${++ids}`,
    verifyToken: createTokenVerification({
      currentInForce: inForce.current,
      fetchJwks: options.fetchJwks ?? (() => Promise.reject(new Error('nobody is asked'))),
      log: { warn: complain },
      now: () => Date.now(),
      monotonicNow,
    }),
    via: () => ownViaOf(options.viaId ?? defaultViaId),
    now: () => Date.now(),
    monotonicNow,
  } satisfies InboundPorts
  const proxy =
    listener?.protocol === 'tcp'
      ? createTcpProxy(name, { ...ports, dial: options.dial ?? createDial() })
      : createInboundProxy(name, ports)
  if (options.pem !== undefined) proxy.setSecureContext(options.pem)
  const { port } = await proxy.listen()
  t.teardown(async () => proxy.close())
  return {
    proxy,
    port,
    inForce,
    openConnections,
    records,
    ended,
    metered: () => opened - ended.length,
    async quiet() {
      while (opened > ended.length) await change()
    },
    complaints,
    async record(holds) {
      for (;;) {
        const found = records.find(holds)
        if (found !== undefined) return found
        await change()
      }
    },
    forget() {
      records.length = 0
      opened -= ended.length
      ended.length = 0
    },
    async reload(next) {
      const version = inForce.swap({ inbound: given.inbound, ...next })
      await openConnections.judgeAgain(version)
    },
  }
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null || !('err' in value)) return ''
  return value.err instanceof Error ? (value.err.stack ?? value.err.message) : String(value.err)
}

/** One Enforced member, `orders` under `orders.test`, that lets in everything from loopback. */
export function openShop(backend: string, more: Partial<InForceParts> = {}): InForceParts {
  return {
    resources: [{ id: 'orders', hosts: ['orders.test'], backend }],
    perimeters: [shopPerimeter(['127.0.0.0/8'])],
    ...more,
  }
}

/** The same with nobody let in. */
export function closedShop(backend: string, more: Partial<InForceParts> = {}): InForceParts {
  return { ...openShop(backend, more), perimeters: [shopPerimeter([])] }
}

/** An Enforced database `ledger` that takes any bytes, with a listener of its own; `office` may be nobody. */
export function openBank(
  backendPort: number,
  more: Partial<InForceParts> & { readonly office?: readonly string[] } = {},
): InForceParts {
  const { office = ['127.0.0.0/8'], ...rest } = more
  return {
    resources: [
      { id: 'ledger', hosts: ['ledger.test'], backend: `tcp://127.0.0.1:${backendPort}` },
    ],
    perimeters: [
      {
        name: 'bank',
        profiles: [{ name: 'books', accessRules: [{ name: 'office', addressPrefixes: office }] }],
        associations: [{ resource: 'ledger' }],
      },
    ],
    inbound: [{ name: 'public', resource: 'ledger' }],
    ...rest,
  }
}

function shopPerimeter(
  addressPrefixes: readonly string[],
): NonNullable<InForceParts['perimeters']>[number] {
  return {
    name: 'shop',
    profiles: [{ name: 'web', accessRules: [{ name: 'office', addressPrefixes }] }],
    associations: [{ resource: 'orders' }],
  }
}
