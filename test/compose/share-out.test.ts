import t from 'tap'
import type { Bound } from '../../src/compose/bound.ts'
import { shareOut } from '../../src/compose/share-out.ts'
import { settingsFrom } from '../support/settings-parts.ts'

const settings = settingsFrom({
  resources: [{ id: 'orders', hosts: ['orders.test'], backend: 'http://127.0.0.1:1' }],
  inbound: [{ name: 'public' }],
  outbound: [{ name: 'egress', resource: 'orders' }],
  limits: { connections: 5, tunnelsPerResource: 7 },
})
const withSocket = {
  ...settings,
  outbound: [
    ...settings.outbound,
    ...settings.outbound.map((listener) => ({
      ...listener,
      name: 'local',
      listen: { socket: '/run/egress.sock' },
    })),
  ],
}

void t.test('shareOut: connections are divided, and never less than one', async (t) => {
  for (const [threads, connections] of [
    [1, 5],
    [2, 2],
    [5, 1],
    [6, 1],
  ] as const) {
    const { limits } = shareOut(settings, { bound: [], threads, index: 0 })
    t.equal(limits.connections, connections, `${threads}`)
    t.equal(limits.tunnelsPerResource, 7, 'counted for all')
  }
})

void t.test('shareOut: everybody listens on the port that the system chose', async (t) => {
  const bound: readonly Bound[] = [
    { side: 'inbound', name: 'public', address: { host: '127.0.0.1', port: 4711 } },
    { side: 'outbound', name: 'egress', address: { host: '127.0.0.1', port: 4712 } },
    { side: 'outbound', name: 'public', address: { host: '127.0.0.1', port: 1 } },
  ]
  const { inbound, outbound } = shareOut(settings, { bound, threads: 2, index: 1 })
  t.match(inbound, [{ name: 'public', listen: { port: 4711 } }])
  t.match(outbound, [{ name: 'egress', listen: { port: 4712 } }])
})

void t.test('shareOut: a Unix socket is served by the first', async (t) => {
  const namesOf = (index: number) =>
    shareOut(withSocket, { bound: [], threads: 2, index }).outbound.map(({ name }) => name)
  t.same(namesOf(0), ['egress', 'local'])
  t.same(namesOf(1), ['egress'])
})
