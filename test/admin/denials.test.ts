import t from 'tap'
import { createRecentDenials } from '../../src/admin/denials.ts'
import { buildInForce } from '../support/in-force.ts'
import { recordOf } from '../support/records.ts'

void t.test('createRecentDenials keeps denials only', (t) => {
  const denials = createRecentDenials()
  denials.note(recordOf({ correlationId: 'a' }))
  denials.note(recordOf({ correlationId: 'b', decision: { effect: 'allow' } }))
  denials.note(
    recordOf({
      correlationId: 'c',
      end: { bytesIn: 0, bytesOut: 0, durationMs: 1, closeReason: 'policy-revoked' },
    }),
  )
  t.strictSame(
    denials.list().map(({ correlationId }) => correlationId),
    ['a'],
  )
  t.end()
})

void t.test('createRecentDenials lists the newest first and forgets the oldest', (t) => {
  const denials = createRecentDenials(3)
  for (const correlationId of ['a', 'b', 'c', 'd', 'e']) denials.note(recordOf({ correlationId }))
  t.strictSame(
    denials.list().map(({ correlationId }) => correlationId),
    ['e', 'd', 'c'],
  )
  t.end()
})

void t.test('createRecentDenials finds by correlation id', (t) => {
  const denials = createRecentDenials()
  denials.note(recordOf({ correlationId: 'a', detail: 'two Host headers' }))
  denials.note(recordOf({ correlationId: 'b' }))
  t.strictSame(
    denials.list('a').map(({ detail }) => detail),
    ['two Host headers'],
  )
  t.strictSame(denials.list('z'), [])
  t.end()
})

void t.test('createRecentDenials says who, what and why, bounded', (t) => {
  const inForce = buildInForce({
    resources: [{ id: 'orders', hosts: ['orders.test'], backend: 'http://127.0.0.1:1' }],
    perimeters: [
      { name: 'shop', profiles: [{ name: 'web' }], associations: [{ resource: 'orders' }] },
    ],
  })
  const [resource] = inForce.snapshot.resources.values()
  const denials = createRecentDenials()
  denials.note(
    recordOf({
      decision: { resource, direction: 'Outbound' },
      operationName: 'X'.repeat(10_000),
      source: {
        ipAddress: '192.0.2.1',
        port: 1,
        protocol: 'HTTP:TCP',
        resourceId: undefined,
        perimeterGuids: [],
        subscriptions: [],
      },
      destination: {
        resourceId: undefined,
        fullyQualifiedDomainName: 'drop.test',
        ipAddress: undefined,
        port: 443,
        protocol: 'HTTPS:TCP',
      },
    }),
  )
  const [denial] = denials.list()
  t.match(denial, {
    time: '2026-01-02T03:04:05.000Z',
    direction: 'Outbound',
    reason: 'no-matching-rule',
    perimeter: 'shop',
    profile: 'web',
    destination: 'drop.test:443',
    source: { ipAddress: '192.0.2.1' },
  })
  t.ok((denial?.operationName.length ?? Infinity) <= 301)
  t.end()
})
