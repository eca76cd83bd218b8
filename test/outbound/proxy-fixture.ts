import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'
import type { AccessRecord } from '../../src/audit/record.ts'
import type { EndedExchange, ExchangeKind } from '../../src/audit/meter.ts'
import type { Delivery } from '../../src/identity/caller.ts'
import { createTokenVerification } from '../../src/compose/token-verification.ts'
import { createOutboundProxy, type OutboundProxy } from '../../src/outbound/outbound-proxy.ts'
import type { OutboundPorts } from '../../src/outbound/ports.ts'
import type { ResourceId } from '../../src/perimeter/resource-id.ts'
import type { InForce } from '../../src/settings/in-force.ts'
import { createOpenConnections, type OpenConnections } from '../../src/transport/connections.ts'
import { createDial, type Dial } from '../../src/transport/dial.ts'
import type { Resolution } from '../../src/transport/resolve.ts'
import { ownViaOf } from '../../src/wire/via.ts'
import { holdInForce } from '../support/in-force.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { address, type InForceParts } from '../support/settings-parts.ts'

/** A forward proxy over real sockets, with everything around it recorded. */
export interface ProxyFixture {
  readonly proxy: OutboundProxy
  /** 0 on a Unix socket. */
  readonly port: number
  readonly connections: OpenConnections
  /** Everything that was logged, in order. */
  readonly records: readonly AccessRecord[]
  /** Names that were asked of the resolver. */
  readonly resolved: readonly string[]
  /** `address:port` of every dial's candidates. */
  readonly dialled: readonly string[]
  readonly delivered: readonly { readonly resource: ResourceId; readonly delivery: Delivery }[]
  readonly opened: readonly ExchangeKind[]
  readonly ended: readonly EndedExchange[]
  /** Operational errors: there must be none. */
  readonly errors: readonly unknown[]
  connect(): Promise<RawClient>
  /** As a reload does: swaps, closes idle connections, judges what is open again. */
  swap(parts: InForceParts): Promise<void>
  /** Before the test is over, so that a long table does not keep everything open. */
  close(): Promise<void>
  /** What is in force now, held weakly. */
  inForce(): WeakRef<InForce>
  /** As before the first policy is loaded. */
  clear(): void
  /** Resolves once `find` gives a record, those that are there already included. */
  recordWhere(find: (record: AccessRecord) => boolean): Promise<AccessRecord>
  endLine(): Promise<AccessRecord>
}

export interface FixtureOptions {
  /** What names resolve to; all others are `dns-failed`. */
  readonly dns?: Readonly<Record<string, readonly string[]>>
  readonly resolve?: (name: string) => Promise<Resolution>
  readonly dial?: (dial: Dial, swap: (parts: InForceParts) => void) => Dial
  readonly deliver?: (resource: ResourceId, delivery: Delivery) => Duplex | undefined
  readonly connections?: (real: OpenConnections) => OpenConnections
  readonly viaId?: string
}

export const listenerName = 'egress'

/** What the proxy adds to Via, as `1.1 ringfence-…`. */
export const viaId = '0123456789abcdef'

/** What most tests need: `orders`, Enforced, may reach `api.example` on the given port, which is this machine. */
export function enforced(port: number, more: Partial<InForceParts> = {}): InForceParts {
  return {
    resources: [{ id: 'orders' }],
    outbound: [{ name: listenerName, resource: 'orders' }],
    perimeters: [
      {
        name: 'shop',
        profiles: [
          {
            name: 'web',
            accessRules: [{ name: 'api', fullyQualifiedDomainNames: ['api.example'] }],
          },
        ],
        associations: [{ resource: 'orders', accessMode: 'Enforced' }],
      },
    ],
    ...more,
    egress: {
      ports: [port],
      privateAddresses: { 'api.example': ['127.0.0.1/32'] },
      hosts: { 'api.example': ['127.0.0.1'] },
      ...more.egress,
    },
  }
}

/** The same with every rule withdrawn. */
export function withoutRules(port: number, more: Partial<InForceParts> = {}): InForceParts {
  return enforced(port, {
    ...more,
    perimeters: [{ name: 'shop', associations: [{ resource: 'orders', accessMode: 'Enforced' }] }],
  })
}

export async function startProxy(
  t: Test,
  parts: InForceParts,
  options: FixtureOptions = {},
): Promise<ProxyFixture> {
  const held = holdInForce(parts)
  const records: AccessRecord[] = []
  const resolved: string[] = []
  const dialled: string[] = []
  const delivered: { resource: ResourceId; delivery: Delivery }[] = []
  const opened: ExchangeKind[] = []
  const ended: EndedExchange[] = []
  const errors: unknown[] = []
  let waiting: (() => void)[] = []
  const real = createOpenConnections({ version: () => held.current()?.version ?? '' })
  const connections = options.connections?.(real) ?? real
  const realDial = createDial()
  const dial = options.dial?.(realDial, (next) => void held.swap(next)) ?? realDial
  const ignore = (): void => undefined
  let ids = 0

  const ports: OutboundPorts = {
    currentInForce: held.current,
    accessLog: {
      blocksNewWork: false,
      accept(record) {
        records.push(record)
        const woken = waiting
        waiting = []
        for (const wake of woken) wake()
      },
    },
    openConnections: connections,
    meter: {
      opened: (kind) => void opened.push(kind),
      ended: (exchange) => void ended.push(exchange),
    },
    log: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (fault: unknown) => void errors.push(fault),
    },
    resolver: () => ({
      async resolve(name) {
        resolved.push(name)
        if (options.resolve !== undefined) return options.resolve(name)
        const answers = options.dns?.[name]
        return answers === undefined
          ? { kind: 'failed', reason: 'dns-failed' }
          : { kind: 'resolved', addresses: answers.map(address) }
      },
    }),
    async dial(request) {
      for (const { text } of request.addresses) dialled.push(`${text}:${request.port}`)
      return dial(request)
    },
    deliver(resource, delivery) {
      delivered.push({ resource, delivery })
      return options.deliver?.(resource, delivery)
    },
    newCorrelationId: () => `id-${++ids}`,
    verifyToken: createTokenVerification({
      currentInForce: held.current,
      fetchJwks: () => Promise.reject(new Error('nobody is asked')),
      log: { warn: ignore },
      now: () => Date.now(),
      monotonicNow: () => performance.now(),
    }),
    via: () => ownViaOf(options.viaId ?? viaId),
    now: () => Date.now(),
    monotonicNow: () => performance.now(),
  }

  const proxy = createOutboundProxy(listenerName, ports)
  const listening = await proxy.listen()
  const port = 'port' in listening ? listening.port : 0
  const clients: RawClient[] = []
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => (closing ??= closeAll())
  t.teardown(close)

  async function closeAll(): Promise<void> {
    for (const client of clients) client.destroy()
    await proxy.close()
    assert.deepEqual(errors, [], 'nothing is logged as an error')
    assert.equal(proxy.open, 0, 'nothing is under way')
    assert.equal(connections.size, 0, 'nothing is registered')
    assert.equal(opened.length, ended.length, 'what was opened to the meter has ended')
  }

  async function recordWhere(find: (record: AccessRecord) => boolean): Promise<AccessRecord> {
    for (;;) {
      const found = records.find(find)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }

  return {
    proxy,
    port,
    connections,
    records,
    resolved,
    dialled,
    delivered,
    opened,
    ended,
    errors,
    async connect() {
      const client = await connectRaw({ port })
      clients.push(client)
      return client
    },
    async swap(next) {
      const version = held.swap(next)
      proxy.policyChanged()
      await connections.judgeAgain(version)
    },
    clear: () => held.clear(),
    inForce() {
      const current = held.current()
      assert(current !== undefined)
      return new WeakRef(current)
    },
    close,
    recordWhere,
    endLine: async () => recordWhere(({ end }) => end !== undefined),
  }
}
