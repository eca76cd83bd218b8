import fc from 'fast-check'
import t from 'tap'
import { HeadReader } from '../../../src/transport/relay/head-reader.ts'
import { ambiguous, chunked } from '../../../src/wire/framing.ts'
import { incomplete, malformed, tooManyFields } from '../../../src/wire/head-scan.ts'

function read(reader: HeadReader, text: string): number {
  const bytes = Buffer.from(`before${text}`, 'latin1')
  return reader.read(bytes, { start: 6, end: bytes.length })
}

function blockOf(text: string) {
  const reader = new HeadReader()
  read(reader, text)
  return reader.block
}

void t.test('HeadReader reads method, target and fields as they arrived', async (t) => {
  const reader = new HeadReader()
  const head = 'PUT /a?b HTTP/1.1\r\nHost: a\r\nX-A:\t\xe9 \r\nx-a:\r\n\r\n'
  t.equal(read(reader, `${head}body`), 6 + head.length)
  t.equal(reader.method, 'PUT')
  t.equal(reader.target, '/a?b')
  t.strictSame(reader.block, {
    rawHeaders: ['Host', 'a', 'X-A', '\xe9', 'x-a', ''],
    httpVersion: '1.1',
    framing: 0,
    expectation: 'none',
    upgrades: false,
    closes: false,
    bindsConnection: false,
  })
})

void t.test('HeadReader tells what it cannot read', async (t) => {
  const cases = [
    { note: 'half a line', text: 'GET / HT', want: incomplete },
    { note: 'half a head', text: 'GET / HTTP/1.1\r\nHost: a\r\n', want: incomplete },
    { note: 'a method that nobody knows', text: 'FOO / HTTP/1.1\r\n\r\n', want: malformed },
    { note: 'a method in small letters', text: 'get / HTTP/1.1\r\n\r\n', want: malformed },
    { note: 'no target', text: 'GET HTTP/1.1\r\n\r\n', want: malformed },
    { note: 'a bad field', text: 'GET / HTTP/1.1\r\nA : b\r\n\r\n', want: malformed },
    {
      note: 'very many lines',
      text: `GET / HTTP/1.1\r\n${'A:\r\n'.repeat(2002)}\r\n`,
      want: tooManyFields,
    },
  ]
  for (const { note, text, want } of cases) {
    const reader = new HeadReader()
    t.equal(read(reader, text), want, note)
    t.equal(reader.block, undefined)
  }
})

const facts = [
  { note: 'HTTP/1.0 closes', head: 'HTTP/1.0\r\n', has: { closes: true, httpVersion: '1.0' } },
  { note: 'unless kept', head: 'HTTP/1.0\r\nConnection: Keep-Alive\r\n', has: { closes: false } },
  {
    note: 'credentials for the connection',
    head: 'HTTP/1.1\r\nAuthorization: NTLM a\r\n',
    has: { bindsConnection: true },
  },
  { note: 'close', head: 'HTTP/1.1\r\nConnection: a, CLOSE\r\n', has: { closes: true } },
  { note: 'both', head: 'HTTP/1.0\r\nConnection: keep-alive, close\r\n', has: { closes: true } },
  { note: 'an upgrade', head: 'HTTP/1.1\r\nConnection: Upgrade\r\n', has: { upgrades: true } },
  { note: 'a name alone', head: 'HTTP/1.1\r\nUpgrade: websocket\r\n', has: { upgrades: false } },
  { note: 'a length', head: 'HTTP/1.1\r\nContent-Length: 7\r\n', has: { framing: 7 } },
  { note: 'chunks', head: 'HTTP/1.1\r\nTransfer-Encoding: chunked\r\n', has: { framing: chunked } },
  {
    note: 'chunks in 1.0',
    head: 'HTTP/1.0\r\nTransfer-Encoding: chunked\r\n',
    has: { framing: ambiguous },
  },
  {
    note: 'Expect',
    head: 'HTTP/1.1\r\nExpect: 100-Continue\r\n',
    has: { expectation: 'continue' },
  },
  {
    note: 'Expect in 1.0',
    head: 'HTTP/1.0\r\nExpect: 100-continue\r\n',
    has: { expectation: 'none' },
  },
  { note: 'another', head: 'HTTP/1.1\r\nExpect: magic\r\n', has: { expectation: 'unknown' } },
  { note: 'none', head: 'HTTP/1.1\r\nExpect:\r\n', has: { expectation: 'unknown' } },
  {
    note: 'two',
    head: 'HTTP/1.1\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n',
    has: { expectation: 'unknown' },
  },
]

void t.test('a block says what follows from its fields and version', async (t) => {
  for (const { note, head, has } of facts) t.match(blockOf(`GET / ${head}\r\n`), has, note)
})

void t.test('the same bytes are the same block, whatever the request line says', async (t) => {
  const reader = new HeadReader()
  read(reader, 'GET /a HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n')
  const { block } = reader
  const next = 'POST /other HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n'
  t.equal(read(reader, `${next}more`), 6 + next.length)
  t.equal(reader.block, block)
  t.equal(reader.method, 'POST')
  t.equal(reader.target, '/other')
})

const first = 'Host: a\r\nX-A: b\r\n\r\n'

const others = [
  { note: 'another version', head: `GET / HTTP/1.0\r\n${first}` },
  { note: 'a letter', head: 'GET / HTTP/1.1\r\nHost: a\r\nX-A: c\r\n\r\n' },
  { note: 'a case', head: 'GET / HTTP/1.1\r\nHost: a\r\nx-A: b\r\n\r\n' },
  { note: 'white space', head: 'GET / HTTP/1.1\r\nHost: a\r\nX-A:b\r\n\r\n' },
  { note: 'an order', head: 'GET / HTTP/1.1\r\nX-A: b\r\nHost: a\r\n\r\n' },
  { note: 'a line more', head: 'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nX: y\r\n\r\n' },
  { note: 'a line less', head: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' },
  { note: 'a longer value', head: 'GET / HTTP/1.1\r\nHost: a\r\nX-A: bb\r\n\r\n' },
]

void t.test('anything else is another block, and is read as what it is', async (t) => {
  for (const { note, head } of others) {
    const reader = new HeadReader()
    read(reader, `GET / HTTP/1.1\r\n${first}`)
    const { block } = reader
    t.equal(read(reader, head), 6 + head.length, note)
    t.not(reader.block, block, note)
    t.strictSame(reader.block, blockOf(head), note)
  }
})

void t.test('what it remembers does not complete what has not come', async (t) => {
  const reader = new HeadReader()
  read(reader, `GET / HTTP/1.1\r\n${first}`)
  for (let cut = 0; cut < first.length; cut++) {
    t.equal(read(reader, `GET / HTTP/1.1\r\n${first.slice(0, cut)}`), incomplete)
  }
  t.equal(read(reader, `GET / HTTP/1.1\r\n${first.replace('\r\n\r\n', '\r\n\n')}`), malformed)
})

void t.test('a head that has not come changes nothing', async (t) => {
  const reader = new HeadReader()
  read(reader, `GET /first HTTP/1.1\r\n${first}`)
  const { block } = reader
  for (const text of ['POST /other HTTP/1.1\r\nHost: b', 'PUT /other HTTP/1.1\r\nA : b\r\n\r\n']) {
    t.ok(read(reader, text) <= 0)
    t.equal(reader.method, 'GET')
    t.equal(reader.target, '/first')
    t.equal(reader.block, block)
  }
})

void t.test('a block of 2 KiB is remembered, one byte more is not', async (t) => {
  for (const [length, isRemembered] of [
    [2048, true],
    [2049, false],
  ] as const) {
    const reader = new HeadReader()
    const head = `GET / HTTP/1.1\r\nX: ${'x'.repeat(length - 7)}\r\n\r\n`
    read(reader, head)
    const { block } = reader
    read(reader, head)
    t.equal(reader.block === block, isRemembered, `${length} bytes`)
  }
})

void t.test('a long block is read, and not remembered', async (t) => {
  const reader = new HeadReader()
  const head = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(4000)}\r\n\r\n`
  read(reader, head)
  const { block } = reader
  t.equal(read(reader, head), 6 + head.length)
  t.not(reader.block, block)
  t.strictSame(reader.block, block)
})

const line = fc.constantFrom(
  'Host: a',
  'X-A: b',
  'X-A: c',
  'Content-Length: 5',
  'Connection: close',
  'Expect: 100-continue',
)
const head = fc
  .tuple(fc.constantFrom('1.0', '1.1'), fc.array(line, { maxLength: 4 }))
  .map(([version, lines]) => [`GET / HTTP/${version}`, ...lines, '', ''].join('\r\n'))

void t.test('a reader that remembers reads as one that does not', async (t) => {
  const run = fc.check(
    fc.property(fc.array(head, { maxLength: 8 }), (heads) => {
      const reader = new HeadReader()
      return heads.every((each) => {
        const end = read(reader, each)
        return (
          end === 6 + each.length && JSON.stringify(reader.block) === JSON.stringify(blockOf(each))
        )
      })
    }),
    { numRuns: 500, interruptAfterTimeLimit: 2000 },
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})
