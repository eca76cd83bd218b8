import t from 'tap'
import { backendHeaders, backendTrailers, hasBody } from '../../src/inbound/backend-headers.ts'
import { ownViaOf } from '../../src/wire/via.ts'
import { address } from '../support/settings-parts.ts'

const identityHeaders = {
  subscription: 'x-nsp-subscription-id',
  perimeter: 'x-nsp-perimeter-id',
  resource: 'x-nsp-resource-id',
}

function built(rawHeaders: readonly string[]): Record<string, unknown> {
  return { ...backendHeaders(input(rawHeaders)) }
}

function input(rawHeaders: readonly string[]): Parameters<typeof backendHeaders>[0] {
  return {
    rawHeaders,
    identityHeaders,
    forwardedHeader: 'x-forwarded-for',
    via: ownViaOf('0123456789abcdef'),
    forwarded: { client: address('192.0.2.1'), proto: 'https', host: 'orders.test' },
  }
}

const ours = {
  Via: '1.1 ringfence-0123456789abcdef',
  'x-forwarded-for': '192.0.2.1',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'orders.test',
}

const cases: readonly {
  readonly note: string
  readonly given: readonly string[]
  readonly want: Readonly<Record<string, unknown>>
}[] = [
  {
    note: 'Host as it came',
    given: ['HOST', 'Orders.Test:443'],
    want: { HOST: 'Orders.Test:443' },
  },
  {
    note: 'one key for each field',
    given: ['A', '1', 'a', '2', 'A', '3'],
    want: { A: ['1', '2', '3'] },
  },
  {
    note: 'chunks stay chunks',
    given: ['TE', 'x', 'Transfer-Encoding', 'chunked'],
    want: { 'transfer-encoding': 'chunked' },
  },
  { note: 'a length stays', given: ['Content-Length', '3'], want: { 'Content-Length': '3' } },
  {
    note: 'no expectation',
    given: ['Expect', '100-continue', 'ex_pect', 'x'],
    want: { ex_pect: 'x' },
  },
  {
    note: 'nothing of ours from outside',
    given: ['X-Ringfence-A', '1', 'x_ringfence.b', '1'],
    want: {},
  },
  {
    note: 'no identity',
    given: ['X-NSP_Subscription.Id', '1', 'x-nsp-perimeter-id', '1'],
    want: {},
  },
  {
    note: 'ours cannot be named away',
    given: ['Connection', 'x-forwarded-for, host, via', 'Host', 'a', 'Via', '1.1 a'],
    want: { Host: 'a' },
  },
  {
    note: 'ours behind what others put into Via',
    given: ['VIA', '1.0 a, 1.1 b', 'via', '1.1 c'],
    want: { VIA: ['1.0 a, 1.1 b', '1.1 c', ours.Via], Via: undefined },
  },
  {
    note: 'a field like any other',
    given: ['__proto__', '1', 'constructor', '2'],
    want: { ['__proto__']: '1', constructor: '2' },
  },
  {
    note: 'names of objects, repeated',
    given: ['__proto__', '1', 'toString', '2', '__Proto__', '3', 'TOSTRING', '4', '__proto__', '5'],
    want: { ['__proto__']: ['1', '3', '5'], toString: ['2', '4'] },
  },
]

void t.test('backendHeaders builds what the back end gets', async (t) => {
  for (const { note, given, want } of cases) {
    t.same(built(given), withoutGaps({ ...ours, ...want }), note)
  }
})

function withoutGaps(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

void t.test('hasBody reads the framing alone', async (t) => {
  t.equal(hasBody([]), false)
  t.equal(hasBody(['Content-Length', '0']), false)
  t.equal(hasBody(['Content-Length', '1']), true)
  t.equal(hasBody(['Transfer-Encoding', 'chunked']), true)
})

void t.test('backendTrailers leaves what is said of the caller, the way and the end', (t) => {
  const trailers = [
    'Grpc-Status',
    '0',
    'X-Nsp-Resource-Id',
    'a',
    'x_forwarded_for',
    'b',
    'Host',
    'c',
  ]
  const more = [
    'Content-Length',
    '1',
    'Proxy-Authorization',
    'd',
    'X-Ringfence-Any',
    'e',
    'TE',
    'f',
  ]
  const given = input([])
  t.strictSame(backendTrailers(given, [...trailers, ...more, 'x', 'y']), [
    'Grpc-Status',
    '0',
    'x',
    'y',
  ])
  t.end()
})
