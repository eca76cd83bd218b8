import t from 'tap'
import {
  connectionOptions,
  foldName,
  headerValues,
  isHopByHop,
  withoutHeaders,
  withoutHopByHop,
} from '../../src/wire/headers.ts'

void t.test('headerValues gives every value of a name in any case, in order', async (t) => {
  const raw = ['Host', 'a', 'X-A', '1', 'x-a', '2', 'X_A', '3', 'X-AB', '4']
  t.same(headerValues(raw, 'x-a'), ['1', '2'])
  t.same(headerValues(raw, 'missing'), [])
  t.same(headerValues(['odd'], 'odd'), [], 'a list that is cut short is no header')
})

void t.test('foldName makes one name of all spellings that back ends fold together', async (t) => {
  for (const spelling of [
    'X-Nsp-Subscription-Id',
    'x_nsp_subscription_id',
    'X_Nsp.Subscription-Id',
    'x.nsp.subscription.id',
    'X-NSP_SUBSCRIPTION.ID',
    ...Array.from("!#$%&'*+^`|~", (sign) => `X${sign}Nsp${sign}Subscription${sign}Id`),
  ]) {
    t.equal(foldName(spelling), 'x-nsp-subscription-id', spelling)
  }
})

void t.test('isHopByHop holds exactly the fields of RFC 9110 7.6.1', async (t) => {
  for (const name of [
    'connection',
    'keep-alive',
    'proxy-connection',
    'proxy-authenticate',
    'proxy-authorization',
    'proxy-authentication-info',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ]) {
    t.equal(isHopByHop(name), true, name)
  }
  for (const name of ['host', 'content-length', 'authorization', 'via', 'date', 'expect']) {
    t.equal(isHopByHop(name), false, name)
  }
})

void t.test('connectionOptions reads all Connection values as one list', async (t) => {
  const raw = ['Connection', 'close, X-One', 'connection', ' ,x-TWO,, ']
  t.same([...connectionOptions(raw)], ['close', 'x-one', 'x-two'])
})

void t.test('withoutHopByHop drops what is for this hop and what Connection names', async (t) => {
  const cases: { note: string; raw: string[]; kept: string[] }[] = [
    {
      note: 'fixed list, any case',
      raw: [
        'TE',
        'x',
        'Transfer-Encoding',
        'chunked',
        'Proxy-Authorization',
        'Basic',
        'Accept',
        '*',
      ],
      kept: ['Accept', '*'],
    },
    {
      note: 'a named field goes, wherever it stands and whatever its case',
      raw: ['x-a', '1', 'Connection', 'close, X-A', 'X-a', '2', 'X-B', '3'],
      kept: ['X-B', '3'],
    },
    {
      note: 'Connection that names itself ends (CVE-2023-49606)',
      raw: [
        'Connection',
        'Connection, Proxy-Connection',
        'Proxy-Connection',
        'connection',
        'A',
        '1',
      ],
      kept: ['A', '1'],
    },
    {
      note: 'framing and Host survive being named (smuggling by Connection: content-length)',
      raw: ['Connection', 'content-length, host', 'Content-Length', '5', 'Host', 'a'],
      kept: ['Content-Length', '5', 'Host', 'a'],
    },
    { note: 'nothing', raw: [], kept: [] },
  ]
  for (const { note, raw, kept } of cases) t.same(withoutHopByHop(raw), kept, note)
})

void t.test('a list that is cut short makes no header of its last name', async (t) => {
  t.same(
    withoutHeaders(['A', '1', 'B'], () => false),
    ['A', '1'],
  )
})

void t.test(
  'withoutHeaders asks with the lower-case name and keeps spelling and order',
  async (t) => {
    const raw = ['B', '1', 'a', '2', 'B', '3', 'C', '4']
    t.same(
      withoutHeaders(raw, (name) => name === 'b'),
      ['a', '2', 'C', '4'],
    )
  },
)
