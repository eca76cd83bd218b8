import fc from 'fast-check'
import t from 'tap'
import { parseAddress } from '../../src/wire/address.ts'
import {
  type ForwardedHeader,
  type Hop,
  isForwardingHeader,
  readForwarded,
  writeForwarded,
} from '../../src/wire/forwarded.ts'

function show(header: ForwardedHeader, values: readonly string[]): string | undefined {
  return readForwarded(header, values)?.map(showHop).join(' ')
}

function showHop(hop: Hop): string {
  if (hop.kind === 'unparsable') return '?'
  return hop.port === undefined ? hop.address.text : `${hop.address.text}#${hop.port}`
}

void t.test('X-Forwarded-For: a list of addresses, with a port or without', async (t) => {
  for (const [values, want] of [
    [['192.0.2.1'], '192.0.2.1'],
    [['192.0.2.1,198.51.100.1 ,\t203.0.113.1'], '192.0.2.1 198.51.100.1 203.0.113.1'],
    [['192.0.2.1', '198.51.100.1'], '192.0.2.1 198.51.100.1'],
    [['192.0.2.1:4711'], '192.0.2.1#4711'],
    [['2001:DB8::1'], '2001:db8::1'],
    [['[2001:db8::1]'], '2001:db8::1'],
    [['[2001:db8::1]:4711'], '2001:db8::1#4711'],
    [['::ffff:192.0.2.1'], '192.0.2.1'],
    [['[::ffff:192.0.2.1]:1'], '192.0.2.1#1'],
    [[], ''],
    [[''], '?'],
    [['192.0.2.1,'], '192.0.2.1 ?'],
    [['unknown, 192.0.2.1'], '? 192.0.2.1'],
  ] as const) {
    t.equal(show('x-forwarded-for', values), want, JSON.stringify(values))
  }
  for (const hop of [
    [
      'unknown',
      '_gazonk',
      'example.com',
      '192.0.2.1:',
      '192.0.2.1:0',
      '192.0.2.1:065',
      '192.0.2.1:99999',
    ],
    [
      '192.0.2.1:1:2',
      '[192.0.2.1]',
      '[192.0.2.1]:80',
      '[2001:db8::1',
      '2001:db8::1]',
      '[2001:db8::1]x',
    ],
    [
      '[2001:db8::1]:',
      '[]',
      '[]:1',
      'fe80::1%eth0',
      '192.0.2',
      '0x7f.0.0.1',
      '"192.0.2.1"',
      '192.0.2.1 x',
    ],
  ].flat()) {
    t.equal(show('x-forwarded-for', [hop]), '?', hop)
  }
})

void t.test('Forwarded: the for parameters of RFC 7239', async (t) => {
  for (const [note, values, want] of [
    ['plain', ['for=192.0.2.1'], '192.0.2.1'],
    ['list', ['for=192.0.2.1, for=198.51.100.1'], '192.0.2.1 198.51.100.1'],
    ['lines are one list', ['for=192.0.2.1', 'for=198.51.100.1'], '192.0.2.1 198.51.100.1'],
    ['parameters', ['proto=http;For=192.0.2.1;by=203.0.113.43;host=a'], '192.0.2.1'],
    ['IPv6 with a port', ['for="[2001:db8::1]:4711"'], '2001:db8::1#4711'],
    ['IPv4 with a port', ['for="192.0.2.1:80"'], '192.0.2.1#80'],
    ['quoted pairs', ['for="192\\.0.2.1"'], '192.0.2.1'],
    ['a comma within quotes', ['for=192.0.2.1;x="a, for=9.9.9.9"'], '192.0.2.1'],
    ['a quote within quotes', ['x="\\"";for=192.0.2.1'], '192.0.2.1'],
    [
      'space around separators',
      ['for=192.0.2.1 ;by=_x ,  for=198.51.100.1'],
      '192.0.2.1 198.51.100.1',
    ],
    ['obfuscated', ['for=_hidden, for=192.0.2.1'], '? 192.0.2.1'],
    ['unknown', ['for=unknown'], '?'],
    ['IPv6 without brackets', ['for="2001:db8::1"'], '?'],
    ['IPv6 without quotes breaks the line', ['for=192.0.2.1, for=[2001:db8::1]'], '?'],
    ['an element without for', ['proto=http'], '?'],
    [
      'a hop that says nothing is not the hop before it',
      ['for=192.0.2.1, proto=http'],
      '192.0.2.1 ?',
    ],
    ['nothing', [''], '?'],
    ['an empty element', ['for=192.0.2.1,,for=192.0.2.2'], '?'],
    ['twice for', ['for=192.0.2.1;for=192.0.2.2'], '?'],
    ['an open quote', ['for="192.0.2.1'], '?'],
    ['text after a quote', ['for="192.0.2.1"x'], '?'],
    ['space around the equals sign', ['for =192.0.2.1'], '?'],
    ['a line that is broken leaves the others', ['for="', 'for=192.0.2.1'], '? 192.0.2.1'],
    ['an open quote swallows nothing after it', ['for=1.1.1.1;x=", for=192.0.2.1;by="_y"'], '?'],
    ['nor with empty quotes after it', ['x=", for=192.0.2.1;by=""'], '?'],
    ['non-ASCII', ['for=192.0.2.1;x="\u00e9"'], '?'],
  ] as const) {
    t.equal(show('forwarded', values), want, note)
  }
})

void t.test('a header that nobody could mean is not read', async (t) => {
  t.equal(readForwarded('x-forwarded-for', ['1,'.repeat(2049)]), undefined)
  t.equal(readForwarded('x-forwarded-for', ['1,'.repeat(1024), '1,'.repeat(1025)]), undefined)
  t.equal(readForwarded('x-forwarded-for', ['1,'.repeat(2048)])?.length, 2049, 'the limit itself')
})

void t.test('the longest header of the worst kind takes no time', async (t) => {
  for (const worst of ['"\\"\\', 'a="', ',;', ' \t', 'for="\\1";', 'a=b;', '   x', '"\t']) {
    const line = worst.repeat(4096 / worst.length)
    const start = performance.now()
    for (const header of ['forwarded', 'x-forwarded-for'] as const) {
      readForwarded(header, [line])
      readForwarded(header, [`for=${line}`.slice(0, 4096)])
    }
    t.ok(performance.now() - start < 100, JSON.stringify(worst))
  }
})

void t.test('writeForwarded says who, how and for whom, in one header kind', async (t) => {
  const facts = { client: parseAddress('2001:db8::1'), proto: 'https', host: 'a.example' } as const
  t.same(writeForwarded('forwarded', facts), [
    'forwarded',
    'for="[2001:db8::1]";host="a.example";proto=https',
  ])
  t.same(
    writeForwarded('x-forwarded-for', facts),
    [
      ['x-forwarded-for', '2001:db8::1'],
      ['x-forwarded-host', 'a.example'],
      ['x-forwarded-proto', 'https'],
    ].flat(),
  )
  const nobody = { ...facts, client: undefined }
  t.match(writeForwarded('forwarded', nobody)[1], /^for=unknown;/)
  t.notOk(writeForwarded('x-forwarded-for', nobody).includes('x-forwarded-for'))
})

void t.test(
  'isForwardingHeader knows everything that claims to come from an earlier hop',
  async (t) => {
    for (const name of [
      ['forwarded', 'x-forwarded-for', 'x-forwarded', 'x-forwarded-client-cert', 'x-real-ip'],
      ['x-client-ip', 'x-cluster-client-ip', 'true-client-ip', 'x-original-forwarded-for'],
      ['x-original-host'],
    ].flat()) {
      t.equal(isForwardingHeader(name), true, name)
    }
    for (const name of ['via', 'x-forward', 'host', 'forwarded-by-nobody']) {
      t.equal(isForwardingHeader(name), false, name)
    }
  },
)

const limits = { numRuns: 1000, interruptAfterTimeLimit: 2000 }

void t.test('what is written is read as the same address', async (t) => {
  const run = fc.check(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const client = parseAddress(text)
      const facts = { client, proto: 'http', host: '[::1]:8080' } as const
      return (['forwarded', 'x-forwarded-for'] as const).every(
        (header) => show(header, [writeForwarded(header, facts)[1] ?? '']) === client?.text,
      )
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test(
  'no text throws, and none makes an address that a line to its right did not have',
  async (t) => {
    const line = fc.oneof(
      fc.string(),
      fc.string({
        unit: fc.constantFrom('for=', '"', '\\', ',', ';', '=', '192.0.2.1', ' ', '[::1]', 'x'),
      }),
    )
    const run = fc.check(
      fc.property(fc.array(line, { maxLength: 4 }), fc.boolean(), (lines, forwarded) => {
        const header = forwarded ? 'forwarded' : 'x-forwarded-for'
        const ours = forwarded ? 'for=198.51.100.7' : '198.51.100.7'
        const hops = readForwarded(header, [...lines, ours])
        const last = hops?.at(-1)
        return hops === undefined || (last !== undefined && showHop(last) === '198.51.100.7')
      }),
      limits,
    )
    t.equal(fc.defaultReportMessage(run), undefined)
  },
)

void t.test(
  'what a trusted proxy appends to a line is the last hop or breaks it, whatever stood before',
  async (t) => {
    const hostile = fc.string({
      unit: fc.constantFrom('for=', '"', '\\', ',', ';', '=', '9.9.9.9', ' ', 'x'),
    })
    const run = fc.check(
      fc.property(hostile, fc.constantFrom('198.51.100.7', '"198.51.100.7:80"'), (before, node) => {
        const hops = readForwarded('forwarded', [`${before}, for=${node};by="_proxy"`])
        const last = hops?.at(-1)
        return last === undefined || /^(?:\?$|198\.51\.100\.7)/.test(showHop(last))
      }),
      limits,
    )
    t.equal(fc.defaultReportMessage(run), undefined)
  },
)
