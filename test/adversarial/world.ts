import assert from 'node:assert/strict'
import type { AccessRecord } from '../../src/audit/record.ts'
import type { Bound } from '../../src/compose/bound.ts'
import { createVia } from '../../src/compose/own-via.ts'
import { createDeliver } from '../../src/compose/deliver.ts'
import { createInboundProxy } from '../../src/inbound/inbound-proxy.ts'
import type { InboundPorts } from '../../src/inbound/ports.ts'
import { createOutboundProxy } from '../../src/outbound/outbound-proxy.ts'
import type { OutboundPorts } from '../../src/outbound/ports.ts'
import { createOpenConnections } from '../../src/transport/connections.ts'
import { createDial } from '../../src/transport/dial.ts'
import type { Lane } from '../../src/settings/settings.ts'
import { createAuthority } from '../support/certificates.ts'
import { holdInForce } from '../support/in-force.ts'
import { startRawOrigin } from '../support/origin.ts'
import { address, type InForceParts } from '../support/settings-parts.ts'
import { switching } from '../support/web-socket.ts'

/**
 * Both proxies of one instance over real sockets, joined as `compose` joins them, with eyes on everything that happens
 * beyond them and in which order: what is decided, resolved, dialled, delivered, and what arrives at whom.
 */
export interface World {
  /** Of the outbound listener, the inbound one, and the inbound one with TLS. */
  readonly egress: number
  readonly public: number
  readonly secure: number
  /** Verifies the certificate of `secure`. */
  readonly ca: string
  /** Everything so far, in order. */
  readonly events: readonly Event[]
  /** What the resolver says from now on. */
  answer(addresses: readonly string[]): void
  /** Resolves at the next event. */
  next(): Promise<void>
  /** Cuts off what is open between two vectors. */
  settle(): Promise<void>
}

export type Event =
  | { readonly kind: 'record'; readonly record: AccessRecord }
  | { readonly kind: 'resolved'; readonly name: string }
  /** `address:port` of every candidate. */
  | { readonly kind: 'dialled'; readonly candidates: readonly string[] }
  | { readonly kind: 'delivered'; readonly resource: string; readonly name: string }
  /** Bytes came to a back end or to whoever was dialled. */
  | { readonly kind: 'arrived'; readonly place: Place; readonly bytes: string }

export type Place = (typeof places)[number]

/** `outside` is whatever is dialled; the others are back ends. */
const places = ['outside', 'orders', 'vault', 'closed', 'partner'] as const

/** What a rule lets `orders` out to, and where it is. */
export const allowedName = 'api.example'
export const allowedAddress = '9.9.9.9'

/** The subscription that `partner` lets in, and nobody else. */
export const partnerSubscription = '22222222-2222-2222-2222-222222222222'

interface WorldOptions {
  readonly lane: Lane
  /** How `orders` is associated; default Enforced. */
  readonly accessMode?: 'Enforced' | 'Learning'
  readonly more?: Partial<InForceParts>
}

/**
 * `orders.test` lets everyone in, `closed.test` nobody, `vault.test` only members, `partner.test` one subscription;
 * what leaves leaves as `orders`.
 */
function partsOf(
  backends: Readonly<Record<Place, string>>,
  tls: { readonly certificateFile: string; readonly keyFile: string },
  { lane, accessMode = 'Enforced', more }: WorldOptions,
): InForceParts {
  const office = { name: 'office', addressPrefixes: ['127.0.0.0/8'] }
  const api = { name: 'api', fullyQualifiedDomainNames: [allowedName] }
  const partner = { name: 'partner', subscriptions: [partnerSubscription] }
  return {
    lane,
    resources: (['orders', 'vault', 'closed', 'partner'] as const).map((id) => ({
      id,
      hosts: [`${id}.test`],
      backend: backends[id],
    })),
    perimeters: [
      {
        name: 'shop',
        profiles: [
          { name: 'web', accessRules: [office, api] },
          { name: 'nobody', accessRules: [] },
          { name: 'partners', accessRules: [partner] },
        ],
        associations: [
          { resource: 'orders', profile: 'web', accessMode },
          { resource: 'vault', profile: 'nobody' },
          { resource: 'partner', profile: 'partners' },
        ],
      },
      { name: 'elsewhere', associations: [{ resource: 'closed' }] },
    ],
    inbound: [{ name: 'public' }, { name: 'secure', tls }],
    outbound: [{ name: 'egress', resource: 'orders' }],
    ...more,
  }
}

type Teardown = { teardown(end: () => Promise<void> | void): void }

export async function startWorld(t: Teardown, options: WorldOptions): Promise<World> {
  const events: Event[] = []
  let waiting: (() => void)[] = []
  let answers: readonly string[] = [allowedAddress]
  const see = (event: Event): void => {
    events.push(event)
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  }

  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const pem = authority.issue('orders.test')
  const origins = await Promise.all(
    places.map(async (place) => {
      const origin = await startRawOrigin({
        onData(socket, bytes) {
          see({ kind: 'arrived', place, bytes })
          if (!bytes.includes('\r\n\r\n')) return
          const isUpgrade = /^upgrade: websocket/im.test(bytes)
          if (isUpgrade) socket.write(switching)
          else socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
        },
      })
      t.teardown(() => origin.close())
      return [place, origin] as const
    }),
  )
  const urls = Object.fromEntries(
    origins.map(([place, { authority: at }]) => [place, `http://${at}`]),
  ) as Record<Place, string> // Every place has its origin.
  const outside = origins[0]?.[1]
  assert(outside !== undefined)

  const { certificateFile, keyFile } = pem
  const parts = partsOf(urls, { certificateFile, keyFile }, options)
  const held = holdInForce(parts)
  const faults: unknown[] = []
  const openConnections = createOpenConnections({
    version: () => held.current()?.version ?? '',
    onFault: (fault) => faults.push(fault),
  })
  const ignore = (): void => undefined
  let ids = 0
  const ports: InboundPorts = {
    currentInForce: held.current,
    accessLog: { blocksNewWork: false, accept: (record) => see({ kind: 'record', record }) },
    openConnections,
    meter: { opened: ignore, ended: ignore },
    log: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (fault: unknown) => void faults.push(fault),
    },
    newCorrelationId: () => `id-${++ids}`,
    verifyToken: () => ({ kind: 'nothing', note: 'nobody is asked', until: 0 }),
    via: createVia('world', 'inbound'),
    now: () => Date.now(),
    monotonicNow: () => performance.now(),
  }
  const inbound = (parts.inbound ?? []).map(({ name }) => createInboundProxy(name, ports))
  const bound: Bound[] = []
  for (const proxy of inbound) {
    if (proxy.name === 'secure') proxy.setSecureContext(pem)
    bound.push({ side: 'inbound', name: proxy.name, address: await proxy.listen() })
    t.teardown(() => proxy.close())
  }

  const dial = createDial()
  const deliver = createDeliver(inbound, { bound, currentInForce: held.current })
  const outboundPorts: OutboundPorts = {
    ...ports,
    via: createVia('world', 'outbound'),
    resolver: () => ({
      async resolve(name) {
        see({ kind: 'resolved', name })
        return { kind: 'resolved', addresses: answers.map(address) }
      },
    }),
    // Whatever was to be dialled is on this machine: no vector reaches anybody.
    async dial({ addresses, port, ...rest }) {
      see({ kind: 'dialled', candidates: addresses.map(({ text }) => `${text}:${port}`) })
      return dial({ ...rest, addresses: [address('127.0.0.1')], port: outside.port })
    },
    deliver(resource, delivery) {
      see({ kind: 'delivered', resource: resource.name, name: delivery.name })
      return deliver(resource, delivery)
    },
  }
  const egress = createOutboundProxy('egress', outboundPorts)
  const listening = await egress.listen()
  assert('port' in listening)
  t.teardown(() => egress.close())
  t.teardown(() => assert.deepEqual(faults, [], 'nothing is logged as an error'))
  const portOf = (name: string): number => inbound.find((one) => one.name === name)?.port ?? 0
  return {
    egress: listening.port,
    public: portOf('public'),
    secure: portOf('secure'),
    ca: authority.ca,
    events,
    answer(addresses) {
      answers = addresses
    },
    next: async () => new Promise((resolve) => waiting.push(resolve)),
    async settle() {
      while (openConnections.size > 0) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}
