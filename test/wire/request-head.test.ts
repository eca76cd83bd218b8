import t from 'tap'
import { formatAuthority } from '../../src/wire/authority.ts'
import {
  type HeadInput,
  type HeadReading,
  readConnectTarget,
  readInboundHead,
  readOutboundHead,
} from '../../src/wire/request-head.ts'

type Reader = (input: HeadInput) => HeadReading

const base: HeadInput = {
  method: 'GET',
  target: '/',
  httpVersion: '1.1',
  rawHeaders: ['Host', 'orders.example'],
  defaultPort: 80,
  headerCount: 20,
}

function read(reader: Reader, change: Partial<HeadInput>): string {
  const reading = reader({ ...base, ...change })
  return reading.kind === 'head'
    ? `${formatAuthority(reading.authority)} ${reading.path}`
    : reading.detail
}

interface Case extends Partial<HeadInput> {
  readonly note: string
  readonly want: string
}

function host(value: string, ...more: string[]): string[] {
  return ['Host', value, ...more]
}

const framing: Case[] = [
  {
    note: 'CL.TE and TE.CL',
    rawHeaders: host('orders.example', 'Content-Length', '5', 'Transfer-Encoding', 'chunked'),
    want: 'Content-Length together with Transfer-Encoding',
  },
  {
    note: 'two equal Content-Lengths',
    rawHeaders: host('orders.example', 'Content-Length', '5', 'content-length', '5'),
    want: 'several Content-Length headers',
  },
  ...['', '+5', '-1', '0x5', '05', '00', '010', '5, 5', '5 5', '9999999999999999', '1e3'].map(
    (value) => ({
      note: `Content-Length ${value}`,
      rawHeaders: host('orders.example', 'Content-Length', value),
      want: 'Content-Length is not a number',
    }),
  ),
  ...[
    '',
    'xchunked',
    'chunked, identity',
    'gzip, chunked',
    ',chunked',
    'chunked\t',
    'identity',
  ].map((value) => ({
    note: `Transfer-Encoding ${value}`,
    rawHeaders: host('orders.example', 'Transfer-Encoding', value),
    want: 'Transfer-Encoding is not chunked alone',
  })),
  ...['', 'magic', '100-continue, magic', '100-continued'].map((value) => ({
    note: `Expect ${value}`,
    rawHeaders: host('orders.example', 'expect', value),
    want: 'unknown expectation',
  })),
  {
    note: 'a known expectation beside an unknown one',
    rawHeaders: host('orders.example', 'Expect', '100-Continue', 'Expect', 'magic'),
    want: 'unknown expectation',
  },
  {
    note: 'chunked twice',
    rawHeaders: host(
      'orders.example',
      'Transfer-Encoding',
      'chunked',
      'Transfer-Encoding',
      'chunked',
    ),
    want: 'several Transfer-Encoding headers',
  },
  {
    note: 'HTTP/1.0 with Transfer-Encoding, which a 1.0 reader ignores',
    httpVersion: '1.0',
    rawHeaders: host('orders.example', 'Transfer-Encoding', 'chunked'),
    want: 'Transfer-Encoding in HTTP/1.0',
  },
  ...Array.from("!#$%&'*+.^_`|~").flatMap((sign) =>
    ['Content-Length', 'Transfer-Encoding'].map((name) => ({
      note: `${name} with ${sign}, which a back end may fold`,
      rawHeaders: host('orders.example', name.replace('-', sign), '5'),
      want: 'framing header in another spelling',
    })),
  ),
  {
    note: 'Connection: content-length would be dropped by the next hop',
    rawHeaders: host('orders.example', 'Connection', 'close, Content-Length'),
    want: 'Connection names a header that is not for it',
  },
  {
    note: 'Connection: host',
    rawHeaders: host('orders.example', 'Connection', 'host'),
    want: 'Connection names a header that is not for it',
  },
  ...['0.9', '1.10', '2.0', '1', ''].map((httpVersion) => ({
    note: `version ${httpVersion}`,
    httpVersion,
    want: 'HTTP version is not 1.0 or 1.1',
  })),
  {
    note: 'HTTP/2 preface',
    method: 'PRI',
    target: '*',
    httpVersion: '2.0',
    want: 'HTTP version is not 1.0 or 1.1',
  },
  {
    note: 'header lines beyond the limit',
    headerCount: 2,
    rawHeaders: host('orders.example', 'A', '1', 'B', '2'),
    want: 'too many header lines',
  },
]

const hosts: Case[] = [
  {
    note: 'two Hosts: the first wins for some, the last for others',
    rawHeaders: ['Host', 'orders.example', 'host', 'evil.example'],
    want: 'several Host headers',
  },
  {
    note: 'two equal Hosts',
    rawHeaders: ['Host', 'a.b', 'Host', 'a.b'],
    want: 'several Host headers',
  },
  { note: 'no Host', rawHeaders: [], want: 'no Host header' },
  ...[
    '',
    'a.example, b.example',
    'a.example b.example',
    'user@a.example',
    'a.example:',
    'a.example:0443',
    'a.example:65536',
    'a.example:80:80',
    '[a.example]',
    'a..example',
    'a.example/',
    'a.example#',
    'a.example\\',
    'http://a.example',
    '[::1%lo]',
    'a%2eexample',
    '\u212aernel.example',
    '2130706433',
    '0x7f.1',
  ].map((value) => ({
    note: `Host ${value}`,
    rawHeaders: host(value),
    want: 'Host is not host or host:port',
  })),
]

const targets: Case[] = ['/a b', '/a\\b', '/a#b', '/\u00e9', '/a\tb', '/a\0b', '/\x7f', ''].map(
  (target) => ({
    note: `target ${JSON.stringify(target)}`,
    target,
    want: 'target holds characters that do not belong there',
  }),
)

void t.test('readInboundHead', async (t) => {
  const cases: Case[] = [
    { note: 'plain', target: '/a/b?c=d', want: 'orders.example:80 /a/b?c=d' },
    {
      note: 'canonical Host with a port',
      rawHeaders: host('ORDERS.example.:8443'),
      want: 'orders.example:8443 /',
    },
    {
      note: 'as many header lines as are allowed',
      headerCount: 3,
      rawHeaders: host('orders.example', 'A', '1', 'B', '2'),
      want: 'orders.example:80 /',
    },
    { note: 'IPv6 Host', rawHeaders: host('[2001:DB8::1]'), want: '[2001:db8::1]:80 /' },
    {
      note: 'chunked in any case',
      rawHeaders: host('orders.example', 'Transfer-Encoding', 'Chunked'),
      want: 'orders.example:80 /',
    },
    {
      note: 'HTTP/1.0 with a length',
      httpVersion: '1.0',
      rawHeaders: host('orders.example', 'Content-Length', '0'),
      want: 'orders.example:80 /',
    },
    {
      note: 'the path is passed on, not interpreted',
      target: '//x/../y',
      want: 'orders.example:80 //x/../y',
    },
    { note: 'OPTIONS *', method: 'OPTIONS', target: '*', want: 'target is not a path' },
    { note: 'absolute-form', target: 'http://orders.example/', want: 'target is not a path' },
    { note: 'CONNECT', method: 'CONNECT', target: 'a.example:443', want: 'CONNECT to a resource' },
    ...framing,
    ...hosts,
    ...targets,
  ]
  for (const { note, want, ...change } of cases) t.equal(read(readInboundHead, change), want, note)
})

void t.test('readOutboundHead', async (t) => {
  const at = { target: 'http://orders.example/' }
  const cases: Case[] = [
    { note: 'plain', target: 'http://orders.example/a?b', want: 'orders.example:80 /a?b' },
    { note: 'no path', target: 'http://orders.example', want: 'orders.example:80 /' },
    { note: 'query only', target: 'http://orders.example?a/b', want: 'orders.example:80 /?a/b' },
    {
      note: 'agreement is of canonical authorities',
      target: 'HTTP://ORDERS.EXAMPLE.:80/',
      want: 'orders.example:80 /',
    },
    {
      note: 'other port in Host',
      target: 'http://orders.example:8080/',
      want: 'Host differs from the target',
    },
    {
      note: 'other name in Host: two decision points would see two names',
      target: 'http://evil.example/',
      want: 'Host differs from the target',
    },
    ...[
      'https://a.example/',
      'ftp://a.example/',
      'http:a.example/',
      'http:/a',
      '/',
      '*',
      'a:80',
    ].map((target) => ({ note: target, target, want: 'target is not an absolute http URI' })),
    ...[
      'http:///a',
      'http://user@orders.example/',
      'http://user:p@orders.example/',
      'http://orders.example:/',
      'http://orders.example:080/',
      'http://[orders.example]/',
      'http://orders%2eexample/',
      'http://127.1/',
    ].map((target) => ({
      note: target,
      target,
      want: 'target authority is not host or host:port',
    })),
    ...framing.map((one) => ({ ...at, ...one })),
    ...hosts.map((one) => ({ ...at, ...one })),
    ...targets,
  ]
  for (const { note, want, ...change } of cases) t.equal(read(readOutboundHead, change), want, note)
})

void t.test('readConnectTarget', async (t) => {
  const at = { method: 'CONNECT', target: 'api.example:443', rawHeaders: host('api.example:443') }
  const cases: Case[] = [
    { note: 'plain', want: 'api.example:443 ' },
    { note: 'canonical', target: 'API.example.:443', want: 'api.example:443 ' },
    { note: 'IPv6', target: '[::1]:443', want: '[::1]:443 ' },
    { note: 'no Host in HTTP/1.0', httpVersion: '1.0', rawHeaders: [], want: 'api.example:443 ' },
    { note: 'no Host in HTTP/1.1', rawHeaders: [], want: 'no Host header' },
    { note: 'Host without port', rawHeaders: host('api.example'), want: 'api.example:443 ' },
    {
      note: "the proxy's own name in Host, as node:http sends it: the target decides",
      rawHeaders: host('127.0.0.1:3128'),
      want: 'api.example:443 ',
    },
    { note: 'odd Host', rawHeaders: host('a b'), want: 'Host is not host or host:port' },
    { note: 'two Hosts', rawHeaders: host('a.b', 'Host', 'a.b'), want: 'several Host headers' },
    { note: 'not CONNECT', method: 'GET', want: 'method is not CONNECT' },
    {
      note: 'length 0 is no body',
      rawHeaders: host('api.example', 'Content-Length', '0'),
      want: 'api.example:443 ',
    },
    {
      note: 'a body would be tunnelled as early bytes',
      rawHeaders: host('api.example', 'Content-Length', '5'),
      want: 'CONNECT with a body',
    },
    {
      note: 'chunked body',
      rawHeaders: host('api.example', 'Transfer-Encoding', 'chunked'),
      want: 'CONNECT with a body',
    },
    ...[
      'api.example',
      'api.example:',
      'api.example:0',
      'api.example:+443',
      'api.example:https',
      'user@api.example:443',
      '[api.example]:443',
      '/api.example:443',
      'http://api.example:443',
      '::1:443',
      '*:443',
    ].map((target) => ({ note: target, target, want: 'CONNECT target is not host:port' })),
    ...framing,
    ...targets,
  ]
  for (const { note, want, ...change } of cases) {
    t.equal(read(readConnectTarget, { ...at, ...change }), want, note)
  }
})
