import { PassThrough } from 'node:stream'
import t from 'tap'
import type { Bound } from '../../src/compose/bound.ts'
import { createDeliver } from '../../src/compose/deliver.ts'
import type { Delivery } from '../../src/identity/caller.ts'
import { holdInForce } from '../support/in-force.ts'
import { hostname, type InForceParts, resourceId } from '../support/settings-parts.ts'

const orders = resourceId('orders')

function deliveryTo(port: number): Delivery {
  return {
    source: resourceId('vault'),
    name: hostname('orders.test'),
    port,
    correlationId: 'c',
    peer: undefined,
    peerPort: undefined,
  }
}

function join(parts: InForceParts, ports: Readonly<Record<string, number>>) {
  const held = holdInForce(parts)
  const taken: string[] = []
  const proxies = Object.keys(ports).map((name) => ({
    name,
    deliver: () => {
      taken.push(name)
      return new PassThrough()
    },
  }))
  const bound = Object.entries(ports).map(([name, port]): Bound => ({
    side: 'inbound',
    name,
    address: { host: '127.0.0.1', port },
  }))
  return { held, taken, deliver: createDeliver(proxies, { bound, currentInForce: held.current }) }
}

void t.test('createDeliver finds the listener by port and resource', (t) => {
  const cases: readonly {
    readonly note: string
    readonly resources?: NonNullable<InForceParts['resources']>
    readonly listeners: NonNullable<InForceParts['inbound']>
    readonly ports: Readonly<Record<string, number>>
    readonly port: number
    readonly taken: readonly string[]
  }[] = [
    { note: 'by port', listeners: [{ name: 'a' }], ports: { a: 80 }, port: 80, taken: ['a'] },
    { note: 'no such port', listeners: [{ name: 'a' }], ports: { a: 80 }, port: 81, taken: [] },
    {
      note: 'a listener for another resource',
      listeners: [{ name: 'a', resource: 'vault' }],
      ports: { a: 80 },
      port: 80,
      taken: [],
    },
    {
      note: 'the one for this resource',
      listeners: [
        { name: 'a', resource: 'vault' },
        { name: 'b', resource: 'orders' },
      ],
      ports: { a: 80, b: 80 },
      port: 80,
      taken: ['b'],
    },
    {
      note: 'a public one before a private one',
      listeners: [{ name: 'a', network: 'private', clients: ['127.0.0.0/8'] }, { name: 'b' }],
      ports: { a: 80, b: 80 },
      port: 80,
      taken: ['b'],
    },
    {
      note: 'a listener for any Host has no bytes to choose by',
      resources: [{ id: 'orders', backend: 'tcp://127.0.0.1:1' }],
      listeners: [{ name: 'a' }],
      ports: { a: 80 },
      port: 80,
      taken: [],
    },
    {
      note: 'a back end of bytes, by its own listener',
      resources: [{ id: 'orders', backend: 'tcp://127.0.0.1:1' }],
      listeners: [{ name: 'a' }, { name: 'b', resource: 'orders' }],
      ports: { a: 80, b: 80 },
      port: 80,
      taken: ['b'],
    },
    {
      note: 'HTTP is never for a listener of bytes',
      resources: [{ id: 'orders', backend: 'http://127.0.0.1:1' }],
      listeners: [{ name: 'a', resource: 'orders', protocol: 'tcp' }],
      ports: { a: 80 },
      port: 80,
      taken: [],
    },
    { note: 'one that is not bound', listeners: [{ name: 'a' }], ports: {}, port: 80, taken: [] },
  ]
  for (const { note, resources = [], listeners, ports, port, taken } of cases) {
    const joined = join({ resources, inbound: listeners }, ports)
    const stream = joined.deliver(orders, deliveryTo(port))
    t.strictSame(joined.taken, taken, note)
    t.equal(stream === undefined, taken.length === 0, note)
  }
  t.end()
})

void t.test('createDeliver gives nothing to a listener that settings no longer name', (t) => {
  const { held, deliver } = join({ inbound: [{ name: 'a' }] }, { a: 80 })
  t.ok(deliver(orders, deliveryTo(80)))
  held.swap({ inbound: [] })
  t.equal(deliver(orders, deliveryTo(80)), undefined)
  held.clear()
  t.equal(deliver(orders, deliveryTo(80)), undefined)
  t.end()
})
