import t from 'tap'
import { describeStart } from '../../src/cli/start-lines.ts'
import type { Bound } from '../../src/compose/bound.ts'
import { buildInForce } from '../support/in-force.ts'

const tls = { certificateFile: '/a.crt', keyFile: '/a.key' }
const inForce = buildInForce({
  resources: ['orders', 'vault', 'search', 'loner', 'ledger'].map((id) => ({
    id,
    hosts: [`${id}.test`],
    backend: id === 'ledger' ? 'tcp://127.0.0.1:1' : 'http://127.0.0.1:1',
  })),
  perimeters: [
    {
      name: 'shop',
      associations: [
        { resource: 'orders' },
        { resource: 'vault' },
        { resource: 'search', accessMode: 'Learning' },
      ],
    },
  ],
  inbound: [
    { name: 'public' },
    { name: 'secure', resource: 'vault', tls },
    { name: 'books', resource: 'ledger' },
  ],
  outbound: [{ name: 'egress', resource: 'orders' }, { name: 'anybody' }],
})

const bound: readonly Bound[] = [
  { side: 'outbound', name: 'egress', address: { host: '127.0.0.1', port: 3128 } },
  { side: 'outbound', name: 'anybody', address: { socket: '/run/egress.sock' } },
  { side: 'inbound', name: 'public', address: { host: '0.0.0.0', port: 8080 } },
  { side: 'inbound', name: 'secure', address: { host: '::', port: 8443 } },
  { side: 'inbound', name: 'books', address: { host: '127.0.0.1', port: 15432 } },
  { side: 'health', name: 'health', address: { host: '0.0.0.0', port: 9900 } },
  { side: 'admin', name: 'admin', address: { socket: '/run/admin.sock' } },
]

void t.test('describeStart has one aligned line for each listener', (t) => {
  const lines = describeStart({ bound, inForce, warnings: [], durationMs: 143.4 })
  t.strictSame(lines, [
    'inbound   public   http://0.0.0.0:8080    for orders, vault, search, loner  (2 Enforced, 1 Learning, 1 not associated)',
    'inbound   secure   https://[::]:8443      for vault  (1 Enforced)',
    'inbound   books    tcp://127.0.0.1:15432  for ledger  (1 not associated)',
    'outbound  egress   http://127.0.0.1:3128  for orders  (1 Enforced)',
    'outbound  anybody  /run/egress.sock       for nobody: every request is denied as unknown-caller',
    'health             http://0.0.0.0:9900    /livez /readyz /metrics',
    'admin              /run/admin.sock        /status /policy /denials /reload',
    `ready in 143 ms, policy ${inForce.version.slice(0, 12)}, access log on standard output`,
  ])
  t.end()
})

void t.test('describeStart says how many serve, if there are several', (t) => {
  const settings = { ...inForce.settings, workers: 2 }
  const lines = describeStart({
    bound,
    inForce: { ...inForce, settings },
    warnings: [],
    durationMs: 1,
  })
  t.match(lines.at(-1), /access log on standard output, 2 workers$/)
  t.end()
})

void t.test('describeStart counts resources where there are many', (t) => {
  const many = buildInForce({
    resources: Array.from({ length: 120 }, (_, index) => ({
      id: `r${index}`,
      backend: 'http://127.0.0.1:1',
    })),
    inbound: [{ name: 'public' }],
  })
  const lines = describeStart({
    bound: bound.slice(2, 3),
    inForce: many,
    warnings: ['a warning'],
    durationMs: 1,
  })
  t.equal(lines[0], 'a warning')
  t.match(lines[1], /for 120 resources {2}\(120 not associated\)$/)
  t.end()
})
