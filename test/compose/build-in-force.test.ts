import t from 'tap'
import { buildInForce } from '../../src/compose/build-in-force.ts'
import {
  address,
  hostname,
  type InForceParts,
  perimeterFrom,
  settingsFrom,
} from '../support/settings-parts.ts'

function build(parts: InForceParts) {
  return buildInForce({
    settings: settingsFrom(parts),
    perimeters: (parts.perimeters ?? []).map(perimeterFrom),
    ownListeners: () => [{ address: address('203.0.113.1'), port: 8080 }],
    backendAuthorities: new Map(),
    proxyAuthorization: undefined,
  })
}

const base: InForceParts = {
  resources: [{ id: 'orders', hosts: ['orders.test'], backend: 'http://127.0.0.1:1' }],
  perimeters: [{ name: 'shop', associations: [{ resource: 'orders' }] }],
  inbound: [{ name: 'public' }],
  outbound: [{ name: 'egress', resource: 'orders' }],
}

void t.test('buildInForce has another version whenever something that decides changes', (t) => {
  const cases: readonly { readonly note: string; readonly change: InForceParts }[] = [
    { note: 'a rule', change: { perimeters: [{ name: 'shop', profiles: [{ name: 'web' }] }] } },
    { note: 'a host', change: { resources: [{ id: 'orders', hosts: ['other.test'] }] } },
    { note: 'inbound listeners', change: { inbound: [] } },
    { note: 'the resource of one', change: { inbound: [{ name: 'public', resource: 'orders' }] } },
    {
      note: 'who arrives over a private endpoint',
      change: { inbound: [{ name: 'public', network: 'private', clients: ['10.0.0.0/8'] }] },
    },
    {
      note: 'whom it believes about the address',
      change: { inbound: [{ name: 'public', trustedProxies: ['10.0.0.1'] }] },
    },
    {
      note: 'who has to send a PROXY header',
      change: { inbound: [{ name: 'public', proxyFrom: ['10.0.0.1'] }] },
    },
    {
      note: 'which private endpoints are approved',
      change: {
        resources: [
          {
            id: 'orders',
            hosts: ['orders.test'],
            backend: 'http://127.0.0.1:1',
            privateEndpoints: [{ linkId: 1, name: 'partner', status: 'Approved' }],
          },
        ],
      },
    },
    ...['192.0.2.0/24', '192.0.2.0/25'].map((prefix) => ({
      note: 'what a service tag stands for',
      change: {
        perimeters: [
          {
            name: 'shop',
            profiles: [
              {
                name: 'web',
                accessRules: [{ name: 'storage', serviceTags: { Storage: [prefix] } }],
              },
            ],
          },
        ],
      },
    })),
    {
      note: 'which header it believes',
      change: { inbound: [{ name: 'public', forwardedHeader: 'forwarded' }] },
    },
    { note: 'whom an outbound listener speaks for', change: { outbound: [{ name: 'egress' }] } },
    {
      note: 'and to whom',
      change: { outbound: [{ name: 'egress', resource: 'orders', clients: ['10.0.0.0/8'] }] },
    },
    ...['10.0.0.0/8', '10.0.0.0/9'].map((prefix) => ({
      note: 'who speaks for whom on a gateway',
      change: {
        outbound: [{ name: 'egress', callers: [{ resource: 'orders', prefixes: [prefix] }] }],
      },
    })),
    { note: 'who is believed about identity', change: { headersTrustedFrom: ['10.0.0.1'] } },
    { note: 'ports of rules', change: { egress: { ports: [443] } } },
    {
      note: 'grants of the guard',
      change: { egress: { privateAddresses: { 'a.test': ['10.0.0.1'] } } },
    },
    { note: 'fixed answers', change: { egress: { hosts: { 'a.test': ['192.0.2.1'] } } } },
  ]
  const { version } = build(base)
  const versions = new Set([version])
  for (const { note, change } of cases) {
    const changed = build({ ...base, ...change })
    t.notOk(versions.has(changed.version), note)
    versions.add(changed.version)
  }
  t.end()
})

void t.test('buildInForce has the same version where nothing that decides changes', (t) => {
  const { version } = build(base)
  t.equal(build(base).version, version)
  t.equal(build({ ...base, limits: { connections: 1 } }).version, version)
  t.equal(build({ ...base, timeouts: { dnsMs: 1 } }).version, version)
  const moved = { name: 'public', listen: { host: '127.0.0.1', port: 1 } }
  t.equal(build({ ...base, inbound: [moved] }).version, version)
  t.end()
})

void t.test('buildInForce freezes it all', (t) => {
  const inForce = build(base)
  t.ok(Object.isFrozen(inForce))
  t.ok(Object.isFrozen(inForce.settings.identity.headers))
  t.ok(Object.isFrozen(inForce.settings.inbound[0]))
  t.ok(Object.isFrozen(inForce.snapshot))
  t.end()
})

void t.test('buildInForce guards with what settings grant and with where it listens', (t) => {
  const { guard } = build({
    ...base,
    egress: { privateAddresses: { 'granted.test': ['10.0.0.0/8'] } },
  })
  const refuses = (name: string, text: string, port = 443): boolean =>
    guard.refuse({
      host: { kind: 'name', name: hostname(name) },
      address: address(text),
      port,
    }) !== undefined
  t.equal(refuses('granted.test', '10.1.2.3'), false)
  t.equal(refuses('other.test', '10.1.2.3'), true)
  t.equal(refuses('other.test', '203.0.113.1', 8080), true, 'its own listener')
  t.end()
})
