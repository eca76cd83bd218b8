import t from 'tap'
import { readProxyHeader } from '../../src/wire/proxy-protocol.ts'
import {
  ipv4Addresses,
  linkIdTlv,
  version2Header,
  type Version2Parts,
  word,
} from '../support/proxy-header.ts'

interface Want {
  readonly address?: string
  readonly port?: number
  readonly linkId?: number
}

/** Everything that the header says, in one line; the kind alone where it says nothing. */
function show(bytes: Buffer): unknown {
  const found = readProxyHeader(bytes)
  if (typeof found === 'string') return found
  const { header } = found
  if (header.kind === 'local') return 'local'
  const { address, port, linkId } = header
  return {
    ...(address === undefined ? {} : { address: address.text }),
    ...(port === undefined ? {} : { port }),
    ...(linkId === undefined ? {} : { linkId }),
  }
}

const longIpv6 = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'

const version1: readonly {
  readonly note: string
  readonly line: string
  readonly want: unknown
}[] = [
  {
    note: 'IPv4',
    line: 'PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n',
    want: { address: '192.0.2.7', port: 50_000 },
  },
  {
    note: 'IPv6',
    line: 'PROXY TCP6 2001:DB8::7 ::1 1 65535\r\n',
    want: { address: '2001:db8::7', port: 1 },
  },
  {
    note: 'an IPv4 in an IPv6 is the IPv4',
    line: 'PROXY TCP6 ::ffff:192.0.2.7 ::1 0 443\r\n',
    want: { address: '192.0.2.7', port: 0 },
  },
  {
    note: 'the longest that there is',
    line: `PROXY TCP6 ${longIpv6} ${longIpv6} 65535 65535\r\n`,
    want: { address: longIpv6, port: 65_535 },
  },
  { note: 'unknown, alone', line: 'PROXY UNKNOWN\r\n', want: {} },
  {
    note: 'unknown: what follows is not looked at',
    line: `PROXY UNKNOWN ${longIpv6} ${longIpv6} 65535 65535\r\n`,
    want: {},
  },
  { note: 'unknown glued to something', line: 'PROXY UNKNOWNS\r\n', want: 'malformed' },
  { note: 'unknown with a control', line: 'PROXY UNKNOWN a\tb\r\n', want: 'malformed' },
  { note: 'a TCP of no family', line: 'PROXY TCP5 ::1 ::1 1 1\r\n', want: 'malformed' },
  { note: 'UDP', line: 'PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n', want: 'malformed' },
  { note: 'small letters', line: 'PROXY tcp4 192.0.2.7 192.0.2.8 1 2\r\n', want: 'malformed' },
  { note: 'IPv6 as IPv4', line: 'PROXY TCP4 ::1 ::1 1 2\r\n', want: 'malformed' },
  {
    note: 'a mapped address as IPv4',
    line: 'PROXY TCP4 ::ffff:192.0.2.7 192.0.2.8 1 2\r\n',
    want: 'malformed',
  },
  { note: 'IPv4 as IPv6', line: 'PROXY TCP6 192.0.2.7 ::1 1 2\r\n', want: 'malformed' },
  { note: 'short IPv4', line: 'PROXY TCP4 127.1 192.0.2.8 1 2\r\n', want: 'malformed' },
  { note: 'octal IPv4', line: 'PROXY TCP4 0300.0.2.7 192.0.2.8 1 2\r\n', want: 'malformed' },
  { note: 'a zone', line: 'PROXY TCP6 fe80::1%lo ::1 1 2\r\n', want: 'malformed' },
  {
    note: 'a bad destination is no header either',
    line: 'PROXY TCP4 192.0.2.7 192.0.2.256 1 2\r\n',
    want: 'malformed',
  },
  {
    note: 'a destination of the other family',
    line: 'PROXY TCP4 192.0.2.7 ::1 1 2\r\n',
    want: 'malformed',
  },
  { note: 'a leading zero', line: 'PROXY TCP4 192.0.2.7 192.0.2.8 01 2\r\n', want: 'malformed' },
  {
    note: 'too large a port',
    line: 'PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n',
    want: 'malformed',
  },
  {
    note: 'too large a port of the destination',
    line: 'PROXY TCP4 192.0.2.7 192.0.2.8 1 65536\r\n',
    want: 'malformed',
  },
  {
    note: 'a port with a sign',
    line: 'PROXY TCP4 192.0.2.7 192.0.2.8 +1 2\r\n',
    want: 'malformed',
  },
  { note: 'no ports', line: 'PROXY TCP4 192.0.2.7 192.0.2.8\r\n', want: 'malformed' },
  { note: 'one more word', line: 'PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n', want: 'malformed' },
  { note: 'two spaces', line: 'PROXY TCP4  192.0.2.7 192.0.2.8 1 2\r\n', want: 'malformed' },
  {
    note: 'a space at the end',
    line: 'PROXY TCP4 192.0.2.7 192.0.2.8 1 2 \r\n',
    want: 'malformed',
  },
  { note: 'nothing', line: 'PROXY \r\n', want: 'malformed' },
  { note: 'a line feed alone ends nothing', line: 'PROXY UNKNOWN\n', want: 'incomplete' },
  {
    note: 'a line feed within',
    line: 'PROXY UNKNOWN\nGET / HTTP/1.1\r\n',
    want: 'malformed',
  },
  { note: 'a request', line: 'GET / HTTP/1.1\r\n', want: 'malformed' },
  { note: 'another method', line: 'PROPFIND / HTTP/1.1\r\n', want: 'malformed' },
  { note: 'small letters of the word', line: 'proxy UNKNOWN\r\n', want: 'malformed' },
  { note: 'a hello of TLS', line: '\x16\x03\x01\x02\x00', want: 'malformed' },
  { note: 'an empty line first', line: '\r\nPROXY UNKNOWN\r\n', want: 'malformed' },
]

for (const { note, line, want } of version1) {
  void t.test(`readProxyHeader: version 1: ${note}`, (t) => {
    t.strictSame(show(Buffer.from(line, 'latin1')), want)
    t.end()
  })
}

void t.test('readProxyHeader: version 1 has no more than 107 bytes', (t) => {
  const unknown = (length: number): Buffer =>
    Buffer.from(`${'PROXY UNKNOWN '.padEnd(length - 2, 'x')}\r\n`)
  t.strictSame(show(unknown(107)), {})
  t.equal(show(unknown(108)), 'malformed')
  t.equal(show(unknown(108).subarray(0, 106)), 'incomplete')
  t.equal(show(unknown(108).subarray(0, 107)), 'malformed', 'it is not waited for')
  t.end()
})

const ipv6Block = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('00000000000000000000000000000001', 'hex'),
  word(50_000),
  word(443),
])
const mappedBlock = Buffer.concat([
  Buffer.from('00000000000000000000ffffc0000207', 'hex'),
  ipv6Block.subarray(16),
])
const noop = [0x04, Buffer.alloc(7)] as const
const peer: Want = { address: '192.0.2.7', port: 50_000 }

const version2: readonly {
  readonly note: string
  readonly parts: Version2Parts
  readonly want: unknown
}[] = [
  { note: 'IPv4', parts: {}, want: peer },
  {
    note: 'IPv6',
    parts: { family: 0x21, addresses: ipv6Block },
    want: { address: '2001:db8::7', port: 50_000 },
  },
  {
    note: 'an IPv4 in an IPv6 is the IPv4',
    parts: { family: 0x21, addresses: mappedBlock },
    want: peer,
  },
  {
    note: 'a Unix socket says no address',
    parts: { family: 0x31, addresses: Buffer.alloc(216, 'x') },
    want: {},
  },
  {
    note: 'unspecified says nothing',
    parts: { family: 0x00, addresses: Buffer.alloc(0) },
    want: {},
  },
  {
    note: 'unspecified: what follows is not looked at',
    parts: { family: 0x00, addresses: Buffer.from([0xee, 0xff, 0xff]) },
    want: {},
  },
  {
    note: 'local',
    parts: { command: 0x20, family: 0x00, addresses: Buffer.alloc(0) },
    want: 'local',
  },
  { note: 'local says nothing about anybody', parts: { command: 0x20 }, want: 'local' },
  {
    note: 'local: neither family nor TLVs are looked at',
    parts: { command: 0x20, family: 0xff, tlvs: [linkIdTlv(7)], more: Buffer.from([1]) },
    want: 'local',
  },
  { note: 'another version', parts: { command: 0x11 }, want: 'malformed' },
  { note: 'another command', parts: { command: 0x22 }, want: 'malformed' },
  { note: 'datagrams', parts: { family: 0x12 }, want: 'malformed' },
  {
    note: 'datagrams of a Unix socket',
    parts: { family: 0x32, addresses: Buffer.alloc(216) },
    want: 'malformed',
  },
  { note: 'a family without a protocol', parts: { family: 0x10 }, want: 'malformed' },
  { note: 'a protocol without a family', parts: { family: 0x01 }, want: 'malformed' },
  { note: 'a family of the future', parts: { family: 0x41 }, want: 'malformed' },
  { note: 'an IPv6 in the room of an IPv4', parts: { family: 0x21 }, want: 'malformed' },
  { note: 'an IPv4 that is cut', parts: { addresses: Buffer.alloc(11) }, want: 'malformed' },
  {
    note: 'an IPv6 that is cut',
    parts: { family: 0x21, addresses: Buffer.alloc(35) },
    want: 'malformed',
  },
  {
    note: 'a Unix socket that is cut',
    parts: { family: 0x31, addresses: Buffer.alloc(215) },
    want: 'malformed',
  },
  { note: 'no addresses', parts: { addresses: Buffer.alloc(0) }, want: 'malformed' },
  {
    note: 'an IPv4 with the room of an IPv6 has TLVs that are none',
    parts: { addresses: ipv6Block },
    want: 'malformed',
  },
  {
    note: 'unknown TLVs are skipped',
    parts: { tlvs: [noop, [0xe0, Buffer.from('x')]] },
    want: peer,
  },
  { note: 'an empty TLV', parts: { tlvs: [[0x01, Buffer.alloc(0)]] }, want: peer },
  {
    note: 'a TLV that is cut in its length',
    parts: { tlvs: [noop], more: Buffer.from([4, 0]) },
    want: 'malformed',
  },
  {
    note: 'a TLV longer than the header',
    parts: { more: Buffer.from([4, 0, 2, 9]) },
    want: 'malformed',
  },
  {
    note: 'a TLV shorter than the header',
    parts: { more: Buffer.from([4, 0, 1, 9, 9]) },
    want: 'malformed',
  },
  {
    note: 'a link id',
    parts: { tlvs: [linkIdTlv(0x01020304)] },
    want: { ...peer, linkId: 0x01020304 },
  },
  {
    note: 'the largest link id',
    parts: { tlvs: [linkIdTlv(0xffffffff)] },
    want: { ...peer, linkId: 0xffffffff },
  },
  { note: 'link id 0', parts: { tlvs: [linkIdTlv(0)] }, want: { ...peer, linkId: 0 } },
  {
    note: 'a link id behind others',
    parts: { tlvs: [noop, linkIdTlv(5), noop] },
    want: { ...peer, linkId: 5 },
  },
  {
    note: 'a link id beside a Unix socket',
    parts: { family: 0x31, addresses: Buffer.alloc(216), tlvs: [linkIdTlv(5)] },
    want: { linkId: 5 },
  },
  {
    note: 'two link ids, the same',
    parts: { tlvs: [linkIdTlv(5), linkIdTlv(5)] },
    want: 'malformed',
  },
  {
    note: 'two link ids, the first 0',
    parts: { tlvs: [linkIdTlv(0), linkIdTlv(5)] },
    want: 'malformed',
  },
  {
    note: 'a link id that is short',
    parts: { tlvs: [[0xee, Buffer.from([1, 5, 0, 0])]] },
    want: 'malformed',
  },
  {
    note: 'a link id that is long',
    parts: { tlvs: [[0xee, Buffer.from([1, 5, 0, 0, 0, 0])]] },
    want: 'malformed',
  },
  { note: 'another subtype', parts: { tlvs: [[0xee, Buffer.from([2, 5])]] }, want: peer },
  {
    note: 'no subtype, and what follows is none',
    parts: {
      tlvs: [
        [0xee, Buffer.alloc(0)],
        [0x01, Buffer.alloc(2)],
      ],
    },
    want: peer,
  },
  {
    note: "a link id as somebody else's TLV",
    parts: { tlvs: [[0xea, linkIdTlv(5)[1]]] },
    want: peer,
  },
  { note: 'a length that is one too small', parts: { length: 11 }, want: 'malformed' },
  { note: 'a length that is one too large', parts: { length: 13 }, want: 'incomplete' },
]

for (const { note, parts, want } of version2) {
  void t.test(`readProxyHeader: version 2: ${note}`, (t) => {
    t.strictSame(show(version2Header(parts)), want)
    t.end()
  })
}

void t.test('readProxyHeader: version 2 has no more than 4096 bytes', (t) => {
  const room = 4096 - 16 - 12 - 3
  t.strictSame(show(version2Header({ tlvs: [[0x04, Buffer.alloc(room)]] })), peer)
  const tooLong = version2Header({ tlvs: [[0x04, Buffer.alloc(room + 1)]] })
  t.equal(show(tooLong), 'malformed')
  t.equal(show(tooLong.subarray(0, 16)), 'malformed', 'it is not waited for')
  t.equal(show(tooLong.subarray(0, 15)), 'incomplete')
  t.end()
})

void t.test('readProxyHeader says where the header ends', (t) => {
  for (const header of [
    Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n'),
    version2Header({ tlvs: [linkIdTlv(1)] }),
    version2Header({ command: 0x20 }),
    version2Header({ family: 0 }),
    Buffer.from('PROXY UNKNOWN\r\n'),
  ]) {
    const found = readProxyHeader(Buffer.concat([header, Buffer.from('GET / \r\n\r\n')]))
    t.match(found, { length: header.length })
  }
  t.end()
})

void t.test('readProxyHeader keeps nothing of the bytes', (t) => {
  const bytes = version2Header({ addresses: ipv4Addresses('192.0.2.7', 1) })
  const found = readProxyHeader(bytes)
  bytes.fill(0)
  t.match(found, { header: { address: { bytes: Uint8Array.of(192, 0, 2, 7) } } })
  t.end()
})
