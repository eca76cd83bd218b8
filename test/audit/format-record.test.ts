import t from 'tap'
import { createRecordFormat } from '../../src/audit/format-record.ts'
import { formatTime } from '../../src/audit/format-time.ts'
import { isLogged } from '../../src/audit/logged-category.ts'
import { categories } from '../../src/perimeter/category.ts'
import { closeReasons, decisionReasons } from '../../src/reasons.ts'
import { recordFrom } from '../support/record-parts.ts'

const format = createRecordFormat({ instance: 'i"1', boot: 'b' })

void t.test('every reason, close reason and category makes a line that parses', async (t) => {
  for (const reason of decisionReasons) {
    const line = format.record(recordFrom({ decision: { reason } }), 1)
    t.match(JSON.parse(line), { properties: { reason }, resultDescription: /^[A-Z]/ }, reason)
  }
  for (const closeReason of closeReasons) {
    const end = { bytesIn: 1, bytesOut: 2, durationMs: 3.5, closeReason }
    const line = format.record(recordFrom({ decision: {}, end }), 1)
    t.match(JSON.parse(line), { count: 0, properties: { closeReason, durationMs: 4 } }, closeReason)
  }
  for (const category of categories) {
    const line = format.record(recordFrom({ decision: { category } }), 1)
    t.match(JSON.parse(line), { count: 1, category }, category)
  }
})

void t.test('instance names are escaped too, and the number is a number', async (t) => {
  const line = format.record(recordFrom({ decision: {} }), 9007199254740991)
  t.match(JSON.parse(line), { properties: { instance: 'i"1', sequence: 9007199254740991 } })
})

void t.test(
  'formatTime is RFC 3339 in UTC with milliseconds, also before and after the kept second',
  async (t) => {
    for (const text of [
      '2026-11-23T09:20:00.000Z',
      '2026-11-23T09:20:00.999Z',
      '2026-11-23T09:20:01.007Z',
      '2026-11-23T09:20:00.010Z',
      '1969-12-31T23:59:59.999Z',
    ]) {
      t.equal(formatTime(Date.parse(text)), text)
    }
    t.equal(formatTime(Date.parse('2026-11-23T09:20:00.123Z') + 0.7), '2026-11-23T09:20:00.123Z')
  },
)

void t.test(
  'isLogged: a perimeter that lists categories logs these and what has no category',
  async (t) => {
    const { decision } = recordFrom({ decision: { resource: 'orders' } })
    const enabledLogCategories = new Set(['NspOutboundAttempt'])
    const { resource } = decision
    const { association } = resource ?? {}
    if (resource === undefined || association === undefined) throw new Error('orders is associated')
    const perimeter = { ...association.perimeter, enabledLogCategories }
    const choosy = {
      ...decision,
      resource: { ...resource, association: { ...association, perimeter } },
    }
    t.equal(isLogged({ ...choosy, category: 'NspOutboundAttempt' }), true)
    t.equal(isLogged({ ...choosy, category: 'NspPrivateInboundAllowed' }), false)
    t.equal(isLogged({ ...choosy, category: undefined }), true)
    t.equal(
      isLogged({ ...decision, category: 'NspPrivateInboundAllowed' }),
      true,
      'lists none: all',
    )
    t.equal(isLogged({ ...decision, resource: undefined }), true)
  },
)

void t.test('what a format keeps of earlier records never shows in later ones', async (t) => {
  const names = Array.from({ length: 40 }, (_, index) => `host-${index}.example`)
  const long = `${'x'.repeat(300)}-`
  const decision = { resource: 'orders' } as const
  const records = [...names, `${long}1`, `${long}2`, ...names].map((name, index) =>
    recordFrom({
      decision,
      time: new Date(1_795_000_000_000 + (index % 3)).toISOString(),
      operationName: index % 2 === 0 ? 'GET' : name,
      serviceFqdn: name,
      source: {
        perimeterGuids: index % 3 === 0 ? [name, name] : [name],
        subscriptions: [name],
        protocol: name,
      },
      ...(index % 5 === 0
        ? { end: { bytesIn: 1, bytesOut: 2, durationMs: 3, closeReason: 'complete' } }
        : {}),
    }),
  )
  const nameless = recordFrom({ decision })
  for (const [index, record] of records.entries()) {
    const fresh = createRecordFormat({ instance: 'i"1', boot: 'b' })
    t.equal(format.record(record, index), fresh.record(record, index))
    const { properties, operationName } = JSON.parse(format.record(record, index)) as {
      operationName: string
      properties: { source: { protocol: string; subscriptions: string[] } }
    }
    const shown = record.serviceFqdn?.startsWith('xxx') === true ? /^x+…$/ : record.serviceFqdn
    t.match(properties.source.protocol, shown)
    t.match(properties.source.subscriptions[0], shown)
    if (index % 2 === 1) t.match(operationName, shown)
  }
  t.notMatch(format.record(nameless, 1), 'serviceFqdn')
})
