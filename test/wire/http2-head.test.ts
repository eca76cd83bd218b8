import fc from 'fast-check'
import t from 'tap'
import { readHttp2Head } from '../../src/wire/http2-head.ts'
import { readInboundHead } from '../../src/wire/request-head.ts'

const get = [':method', 'GET', ':scheme', 'https', ':path', '/a?b', ':authority', 'a.test']

function read(rawHeaders: readonly string[], endsStream = true) {
  return readHttp2Head({ rawHeaders, endsStream, isSecure: true })
}

void t.test('readHttp2Head gives the HTTP/1.1 message that is meant', (t) => {
  const cases = [
    { note: 'plain', given: get, want: ['host', 'a.test'] },
    {
      note: 'cookies in one field, at the end',
      given: [...get, 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2'],
      want: ['host', 'a.test', 'x', 'y', 'cookie', 'a=1; b=2'],
    },
    {
      note: 'Host where there is no authority',
      given: [...get.slice(0, 6), 'host', 'b.test'],
      want: ['host', 'b.test'],
    },
    {
      note: 'one Host where both say the same',
      given: [...get, 'x', '1', 'host', 'A.test'],
      want: ['host', 'a.test', 'x', '1'],
    },
    { note: 'no name at all', given: get.slice(0, 6), want: [] },
    {
      note: 'trailers are welcome',
      given: [...get, 'te', 'trailers'],
      want: ['host', 'a.test', 'te', 'trailers'],
    },
    {
      note: 'bytes above 127 and tabs within',
      given: [...get, 'x', 'a\t\xff'],
      want: ['host', 'a.test', 'x', 'a\t\xff'],
    },
    { note: 'an empty value', given: [...get, 'x', ''], want: ['host', 'a.test', 'x', ''] },
    {
      note: 'a length of nothing',
      given: [...get, 'content-length', '0'],
      want: ['host', 'a.test', 'content-length', '0'],
    },
  ]
  for (const { note, given, want } of cases) {
    t.match(read(given), { method: 'GET', target: '/a?b', problem: undefined }, note)
    t.strictSame(read(given).rawHeaders, want, note)
  }
  t.end()
})

void t.test('readHttp2Head says where a body ends', (t) => {
  const chunked = ['host', 'a.test', 'transfer-encoding', 'chunked']
  t.strictSame(read(get, false).rawHeaders, chunked)
  t.strictSame(read([...get, 'content-length', '3'], false).rawHeaders, [
    'host',
    'a.test',
    'content-length',
    '3',
  ])
  t.strictSame(read(get, true).rawHeaders, ['host', 'a.test'])
  t.end()
})

void t.test('readHttp2Head counts the bytes of the HTTP/1.1 head', (t) => {
  const head = 'GET /a?b HTTP/1.1\r\nhost: a.test\r\nx: 1\r\n\r\n'
  t.equal(read([...get, 'x', '1']).bytes, head.length)
  t.end()
})

void t.test('readHttp2Head refuses what HTTP/1.1 would say in another way', (t) => {
  const without = (name: string): string[] => {
    const index = get.indexOf(name)
    return get.filter((_, at) => at !== index && at !== index + 1)
  }
  const change = (name: string, value: string): string[] =>
    get.map((part, at) => (get[at - 1] === name ? value : part))
  const cases: { note: string; given: readonly string[]; problem: string }[] = [
    ...['X', 'a b', 'a:b', '', 'a\r\nb', 'é'].map((name) => ({
      note: `name ${JSON.stringify(name)}`,
      given: [...get, name, '1'],
      problem: 'a field name that is none',
    })),
    ...['a\r\nb: c', 'a\nb', 'a\rb', 'a\0b', '\x7f', ' a', 'a ', '\ta', 'a\u0100'].map((value) => ({
      note: `value ${JSON.stringify(value)}`,
      given: [...get, 'x', value],
      problem: 'a field value that is none',
    })),
    ...[
      'connection',
      'keep-alive',
      'proxy-connection',
      'transfer-encoding',
      'upgrade',
      'http2-settings',
    ].map((name) => ({
      note: name,
      given: [...get, name, 'chunked'],
      problem: 'a field for one connection in HTTP/2',
    })),
    {
      note: 'te: gzip',
      given: [...get, 'te', 'trailers, gzip'],
      problem: 'TE other than trailers in HTTP/2',
    },
    ...[
      [...get, ':path', '/b'],
      ['x', '1', ...get],
      ['cookie', '1', ...get],
    ].map((given) => ({
      note: 'pseudo-headers',
      given,
      problem: 'a pseudo-header twice or behind a field',
    })),
    ...[
      without(':method'),
      change(':method', 'get'),
      change(':method', 'GE T'),
      change(':method', 'PRI'),
      change(':method', ''),
      change(':method', '-GET'),
    ].map((given) => ({ note: `method ${given[1]}`, given, problem: 'method is not a method' })),
    ...[':protocol', ':status', ':other'].map((name) => ({
      note: name,
      given: [name, 'websocket', ...get],
      problem: 'a pseudo-header that is not for a request',
    })),
    ...[without(':scheme'), change(':scheme', 'http'), change(':scheme', 'ftp')].map((given) => ({
      note: `scheme ${given[3]}`,
      given,
      problem: 'scheme is not that of the connection',
    })),
    ...[
      [...get, 'host', 'b.test'],
      [...get, 'host', 'a.test', 'host', 'b.test'],
      [...get, 'host', 'a.test:443'],
      [...get, 'host', ''],
    ].map((given) => ({ note: 'two names', given, problem: 'Host differs from :authority' })),
    {
      note: 'a length without a body',
      given: [...get, 'content-length', '5'],
      problem: 'Content-Length without a body',
    },
  ]
  for (const { note, given, problem } of cases) t.equal(read(given).problem, problem, note)
  t.end()
})

void t.test('readHttp2Head knows a cleartext connection by its scheme', (t) => {
  const clear = { rawHeaders: get, endsStream: true, isSecure: false }
  t.equal(readHttp2Head(clear).problem, 'scheme is not that of the connection')
  t.end()
})

void t.test('what readHttp2Head leaves open, the judge of HTTP/1 refuses', (t) => {
  const judge = (rawHeaders: readonly string[], endsStream = true) => {
    const message = read(rawHeaders, endsStream)
    t.equal(message.problem, undefined)
    const reading = readInboundHead({
      ...message,
      httpVersion: '1.1',
      defaultPort: 443,
      headerCount: 100,
    })
    return reading.kind === 'bad-request' ? reading.detail : reading.kind
  }
  const path = (value: string): string[] => [...get.slice(0, 5), value, ...get.slice(6)]
  const named = (value: string): string[] => [...get.slice(0, 7), value]
  t.equal(judge(get), 'head')
  t.equal(judge(path('*')), 'target is not a path')
  t.equal(judge(path('http://a.test/')), 'target is not a path')
  for (const bad of ['', '/a b', '/a\r\nx: y', '/a\0', '/a#b', '/a\\b', '/é']) {
    t.equal(judge(path(bad)), 'target holds characters that do not belong there', bad)
  }
  for (const bad of ['', 'u@a.test', 'a.test/', 'a.test:0', 'a b', 'a.test\r\nx']) {
    t.equal(judge(named(bad)), 'Host is not host or host:port', bad)
  }
  t.equal(judge(get.slice(0, 6)), 'no Host header')
  t.equal(judge([...get.slice(0, 6), 'host', 'a.test', 'host', 'a.test']), 'several Host headers')
  t.equal(judge([':method', 'CONNECT', ':authority', 'a.test:443']), 'CONNECT to a resource')
  const twice = [...get, 'content-length', '3', 'content-length', '3']
  t.equal(judge(twice, false), 'several Content-Length headers')
  t.equal(judge([...get, 'content-length', '+3'], false), 'Content-Length is not a number')
  t.equal(judge([...get, 'content_length', '3']), 'framing header in another spelling')
  t.end()
})

void t.test('readHttp2Head never throws and never lets a line break through', (t) => {
  const part = fc.string({ unit: 'binary' })
  fc.assert(
    fc.property(fc.array(part), fc.boolean(), (rawHeaders, endsStream) => {
      const message = read(rawHeaders, endsStream)
      if (message.problem !== undefined) return true
      const text = [message.method, ...message.rawHeaders.slice(2)].join('')
      return !/[\r\n\0]/.test(text)
    }),
  )
  const mixed = fc.array(fc.tuple(fc.constantFrom('x', 'host', 'cookie', 'te', ':path'), part))
  fc.assert(
    fc.property(mixed, (fields) => {
      const message = read([...get, ...fields.flat()])
      return message.problem !== undefined || !/[\r\n\0]/.test(message.rawHeaders.join(''))
    }),
  )
  t.end()
})
