import t from 'tap'
import { mergeSettings } from '../../src/compose/restart.ts'
import type { Settings } from '../../src/settings/settings.ts'
import { type InForceParts, prefix, settingsFrom } from '../support/settings-parts.ts'

function change(before: InForceParts, after: InForceParts, extra: Partial<Settings> = {}) {
  return mergeSettings(settingsFrom(before), { ...settingsFrom(after), ...extra })
}

const loopback = { host: '127.0.0.1', port: 3128 }
const everywhere = { host: '0.0.0.0', port: 3128 }

void t.test('mergeSettings lets everything that decides count at once', (t) => {
  const before = settingsFrom({
    inbound: [{ name: 'public', resource: 'orders' }],
    outbound: [{ name: 'egress', resource: 'orders' }],
  })
  const after = settingsFrom({
    resources: [{ id: 'vault', hosts: ['vault.test'] }],
    inbound: [{ name: 'public', resource: 'vault', network: 'private', clients: ['10.0.0.0/8'] }],
    outbound: [{ name: 'egress', resource: 'vault', clients: ['10.0.0.0/8'] }],
    headersTrustedFrom: ['10.0.0.1/32'],
    egress: { ports: [8443] },
    limits: { connections: 1 },
    timeouts: { dnsMs: 1 },
    endLineAfterMs: 1,
  })
  const { settings, running, needsRestart } = mergeSettings(before, after)
  t.strictSame(settings, after)
  t.strictSame(running, after)
  t.strictSame(needsRestart, [])
  t.end()
})

void t.test('mergeSettings keeps what only a restart changes and says so', (t) => {
  const cases: readonly {
    readonly note: string
    readonly after: Partial<Settings>
    readonly says: RegExp
  }[] = [
    { note: 'name', after: { instance: 'other' }, says: /`instance`/ },
    {
      note: 'health',
      after: { health: { listen: { host: '127.0.0.1', port: 1 } } },
      says: /`health\.listen`/,
    },
    { note: 'admin', after: { admin: { socket: '/run/a.sock' } }, says: /`admin\.socket`/ },
    {
      note: 'access log',
      after: { audit: { ...settingsFrom({}).audit, file: '/var/log/a' } },
      says: /`audit\.file`/,
    },
    {
      note: 'size of heads',
      after: { limits: { ...settingsFrom({}).limits, headerBytes: 1 } },
      says: /`limits\.headerBytes`/,
    },
    {
      note: 'time for heads',
      after: { timeouts: { ...settingsFrom({}).timeouts, headerMs: 1 } },
      says: /`timeouts\.headerMs`/,
    },
  ]
  for (const { note, after, says } of cases) {
    const before = settingsFrom({})
    const { settings, needsRestart } = mergeSettings(before, { ...before, ...after })
    t.strictSame(settings, before, note)
    t.match(needsRestart, [says], note)
  }
  t.end()
})

void t.test(
  'mergeSettings: who has to send a PROXY header follows, unless the address changes',
  (t) => {
    const moved = { listen: { host: '127.0.0.1', port: 8081 } }
    const at = { name: 'public', listen: { host: '127.0.0.1', port: 8080 } }
    const stays = change(
      { inbound: [{ ...at, proxyFrom: ['10.0.0.1/32'] }] },
      { inbound: [{ ...at, proxyFrom: ['10.0.0.2/32'] }] },
    )
    t.match(stays.settings.inbound, [
      { proxyProtocol: { trustedPrefixes: [prefix('10.0.0.2/32')] } },
    ])
    t.strictSame(stays.needsRestart, [])
    const narrowed = change(
      { inbound: [{ ...at, proxyFrom: ['10.0.0.1/32'] }] },
      { inbound: [{ ...at, ...moved, proxyFrom: ['10.0.0.1/32'] }] },
    )
    t.equal(narrowed.settings.inbound.length, 1)
    const cases = [
      { note: 'another sender', before: ['10.0.0.1/32'], after: ['10.0.0.2/32'] },
      { note: 'no sender any more', before: ['10.0.0.1/32'], after: undefined },
      { note: 'a sender where there was none', before: undefined, after: ['10.0.0.1/32'] },
    ]
    for (const { note, before, after } of cases) {
      const { settings, needsRestart } = change(
        { inbound: [{ ...at, ...(before && { proxyFrom: before }) }] },
        { inbound: [{ ...at, ...moved, ...(after && { proxyFrom: after }) }] },
      )
      t.strictSame(settings.inbound, [], note)
      t.match(needsRestart, [
        /`public` changed its address .* `proxyProtocol`, and denies until then/,
      ])
    }
    t.end()
  },
)

void t.test('mergeSettings: at its old address a gateway knows whom both entries know', (t) => {
  const [orders, catalog, other] = ['orders', 'catalog', 'orders'].map((resource, index) => ({
    resource,
    prefixes: [`10.0.${index}.0/24`],
  }))
  const { settings } = change(
    {
      outbound: [
        {
          name: 'gateway',
          listen: loopback,
          callers: [orders, catalog].flatMap((one) => one ?? []),
        },
      ],
    },
    {
      outbound: [
        {
          name: 'gateway',
          listen: everywhere,
          callers: [other, catalog].flatMap((one) => one ?? []),
        },
      ],
    },
  )
  t.match(settings.outbound[0]?.callers, [{ resource: { name: 'catalog' } }])
  t.equal(settings.outbound[0]?.callers.length, 1)
  t.end()
})

void t.test('mergeSettings leaves a removed listener out, so that it denies', (t) => {
  const { settings, needsRestart } = change({ outbound: [{ name: 'egress' }] }, { outbound: [] })
  t.strictSame(settings.outbound, [])
  t.match(needsRestart, [/outbound listener `egress` was removed and denies/])
  t.end()
})

void t.test('mergeSettings knows a listener again that was removed and comes back', (t) => {
  const listener = { name: 'egress', listen: everywhere, clients: ['10.0.0.0/8'] }
  const before = settingsFrom({ outbound: [listener] })
  const removed = mergeSettings(before, settingsFrom({}))
  t.strictSame(removed.settings.outbound, [])
  const back = mergeSettings(removed.running, before)
  t.strictSame(back.settings.outbound, before.outbound)
  t.strictSame(back.needsRestart, [])
  const elsewhere = mergeSettings(
    removed.running,
    settingsFrom({ outbound: [{ name: 'egress', listen: loopback }] }),
  )
  t.strictSame(elsewhere.settings.outbound[0]?.clients, [prefix('10.0.0.0/8')])
  t.end()
})

void t.test('mergeSettings lets an added listener wait', (t) => {
  const { settings, needsRestart } = change({}, { inbound: [{ name: 'more' }] })
  t.strictSame(settings.inbound, [])
  t.match(needsRestart, [/inbound listener `more` was added/])
  t.end()
})

void t.test('mergeSettings never widens a listener that is bound elsewhere than it says', (t) => {
  const cases: readonly {
    readonly note: string
    readonly before: { listen: typeof loopback; clients?: string[] }
    readonly after: { listen: typeof loopback; clients?: string[] }
    readonly clients: readonly string[] | undefined
  }[] = [
    {
      note: 'moves to loopback and drops its clients, but is still bound to all',
      before: { listen: everywhere, clients: ['10.0.0.0/8'] },
      after: { listen: loopback },
      clients: ['10.0.0.0/8'],
    },
    {
      note: 'leaves loopback for named clients',
      before: { listen: loopback },
      after: { listen: everywhere, clients: ['10.0.0.0/8'] },
      clients: ['10.0.0.0/8'],
    },
    {
      note: 'moves and widens',
      before: { listen: everywhere, clients: ['10.1.0.0/16', '192.0.2.0/24'] },
      after: { listen: loopback, clients: ['10.0.0.0/8', '192.0.2.7/32'] },
      clients: ['10.1.0.0/16', '192.0.2.7/32'],
    },
    {
      note: 'moves to other clients altogether',
      before: { listen: everywhere, clients: ['10.0.0.0/8'] },
      after: { listen: loopback, clients: ['2001:db8::/32'] },
      clients: [],
    },
  ]
  for (const { note, before, after, clients } of cases) {
    const { settings, needsRestart } = change(
      { outbound: [{ name: 'egress', resource: 'orders', ...before }] },
      { outbound: [{ name: 'egress', resource: 'orders', ...after }] },
    )
    const [listener] = settings.outbound
    t.strictSame(listener?.clients, clients?.map(prefix), note)
    t.strictSame(listener?.listen, before.listen, note)
    t.equal(listener?.resource?.name, 'orders', `${note}: speaks for whom it did`)
    t.match(needsRestart, [/outbound listener `egress` changed its address/], note)
  }
  t.end()
})

void t.test(
  'mergeSettings: a listener that changes address and resource denies at the old one',
  (t) => {
    const resources = [
      ['orders', 'vault'],
      ['orders', undefined],
      [undefined, 'vault'],
    ] as const
    const entry = (name: string, resource: string | undefined, listen: typeof loopback) => ({
      name,
      listen,
      ...(resource === undefined ? {} : { resource }),
    })
    for (const [was, is] of resources) {
      const { settings, running, needsRestart } = change(
        { inbound: [entry('in', was, everywhere)], outbound: [entry('out', was, everywhere)] },
        { inbound: [entry('in', is, loopback)], outbound: [entry('out', is, loopback)] },
      )
      t.strictSame([settings.inbound, settings.outbound], [[], []], `${was} to ${is}`)
      t.match(needsRestart, [/`in` .* denies until then/, /`out` .* denies until then/])
      t.strictSame(
        [running.inbound[0]?.listen, running.outbound[0]?.listen],
        [everywhere, everywhere],
      )
    }
    t.end()
  },
)

void t.test('mergeSettings believes no proxy about another header than it was asked for', (t) => {
  const entry = { name: 'in', trustedProxies: ['10.0.0.5'] }
  const { settings } = change(
    { inbound: [{ ...entry, listen: everywhere, forwardedHeader: 'forwarded' }] },
    { inbound: [{ ...entry, listen: loopback }] },
  )
  t.strictSame(settings.inbound[0]?.trustedProxies, [])
  t.end()
})

void t.test('mergeSettings calls private only what both entries do', (t) => {
  const cases = [
    {
      note: 'was public',
      before: {},
      after: { network: 'private', clients: ['10.0.0.0/8'] },
      clients: [],
    },
    {
      note: 'becomes public',
      before: { network: 'private', clients: ['10.0.0.0/8'] },
      after: {},
      clients: [],
    },
    {
      note: 'both private',
      before: { network: 'private', clients: ['10.0.0.0/8'] },
      after: { network: 'private', clients: ['10.1.0.0/16'] },
      clients: ['10.1.0.0/16'],
    },
  ] as const
  for (const { note, before, after, clients } of cases) {
    const { settings } = change(
      { inbound: [{ name: 'public', ...before, listen: everywhere }] },
      { inbound: [{ name: 'public', ...after, listen: loopback, trustedProxies: ['10.0.0.5'] }] },
    )
    t.strictSame(settings.inbound[0]?.clients, clients.map(prefix), note)
    t.strictSame(settings.inbound[0]?.trustedProxies, [], `${note}: believes nobody new`)
  }
  t.end()
})

void t.test('mergeSettings lets TLS that is switched on or off wait', (t) => {
  const tls = { certificateFile: '/a.pem', keyFile: '/a.key' }
  const other = { certificateFile: '/b.pem', keyFile: '/b.key' }
  const on = change({ inbound: [{ name: 'public' }] }, { inbound: [{ name: 'public', tls }] })
  t.equal(on.settings.inbound[0]?.tls, undefined)
  t.equal(on.needsRestart.length, 1)
  const off = change({ inbound: [{ name: 'public', tls }] }, { inbound: [{ name: 'public' }] })
  t.strictSame(off.settings.inbound[0]?.tls, tls)
  t.equal(off.needsRestart.length, 1)
  const swapped = change(
    { inbound: [{ name: 'public', tls }] },
    { inbound: [{ name: 'public', tls: other }] },
  )
  t.strictSame(swapped.settings.inbound[0]?.tls, other, 'another certificate counts at once')
  t.strictSame(swapped.needsRestart, [])
  t.end()
})

void t.test('mergeSettings leaves a listener out that is to speak another protocol', (t) => {
  const shop = (backend: string): InForceParts => ({
    resources: [
      { id: 'orders', backend: 'http://127.0.0.1:1' },
      { id: 'ledger', backend },
    ],
    inbound: [{ name: 'books', resource: 'ledger' }],
  })
  const http = settingsFrom(shop('http://127.0.0.1:1'))
  const tcp = settingsFrom(shop('tcp://127.0.0.1:1'))
  for (const [before, after] of [
    [http, tcp],
    [tcp, http],
  ] as const) {
    const changed = mergeSettings(before, after)
    t.strictSame(changed.settings.inbound, [])
    t.match(changed.needsRestart, [
      /inbound listener `books` now speaks another protocol and denies/,
    ])
    const still = mergeSettings(changed.running, after)
    t.strictSame(still.settings.inbound, [], 'what is bound has not changed meanwhile')
    t.match(still.needsRestart, [/another protocol/])
    const back = mergeSettings(still.running, before)
    t.strictSame(back.settings.inbound, before.inbound)
    t.strictSame(back.needsRestart, [])
  }
  const other = settingsFrom({
    ...shop('tcp://127.0.0.1:1'),
    inbound: [{ name: 'books', resource: 'orders' }],
  })
  t.strictSame(mergeSettings(tcp, other).settings.inbound, [], 'by another resource, too')
  t.end()
})
