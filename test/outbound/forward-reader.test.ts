import t from 'tap'
import { ForwardReader, type ForwardReading } from '../../src/outbound/forward-reader.ts'
import { HeadReader } from '../../src/transport/relay/head-reader.ts'
import { ownViaOf } from '../../src/wire/via.ts'
import { buildInForce } from '../support/in-force.ts'

/** What two readers make of the same request lines with the same fields: one that has read others before, and a new one. */

const heads = new HeadReader()
const via = ownViaOf('0123456789abcdef')
const inForce = buildInForce({ outbound: [{ name: 'egress' }] })

function read(
  reader: ForwardReader,
  line: string,
): readonly [reading: ForwardReading, path: string] {
  const bytes = Buffer.from(`${line} HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n`, 'latin1')
  const end = heads.read(bytes, { start: 0, end: bytes.length })
  const { block, method, target } = heads
  if (end !== bytes.length || block === undefined) throw new Error(`unreadable: ${line}`)
  const reading = reader.read({ method, target, block }, inForce)
  return [reading, reader.path]
}

const lines = [
  { note: 'the same site', line: 'GET http://a.test/b', kind: 'head' },
  { note: 'another path', line: 'POST http://a.test/c?d=e', kind: 'head' },
  { note: 'no path', line: 'GET http://a.test', kind: 'head' },
  { note: 'a query alone', line: 'GET http://a.test?b', kind: 'head' },
  { note: 'another host', line: 'GET http://b.test/a', kind: 'bad-request' },
  { note: 'a longer host', line: 'GET http://a.test.b.test/', kind: 'bad-request' },
  { note: 'another port', line: 'GET http://a.test:81/', kind: 'bad-request' },
  { note: 'userinfo', line: 'GET http://a.test@b.test/', kind: 'bad-request' },
  { note: 'userinfo in front', line: 'GET http://b@a.test/', kind: 'bad-request' },
  { note: 'a fragment', line: 'GET http://a.test/b#c', kind: 'bad-request' },
  { note: 'another scheme', line: 'GET https://a.test/b', kind: 'bad-request' },
  { note: 'another length', line: 'GET http://c/', kind: 'bad-request' },
  { note: 'no absolute form', line: 'GET /b', kind: 'bad-request' },
  { note: 'an asterisk', line: 'OPTIONS *', kind: 'bad-request' },
]

void t.test('ForwardReader: what was read of one request holds for no other site', async (t) => {
  for (const { note, line, kind } of lines) {
    const used = new ForwardReader(via)
    const [known, path] = read(used, 'GET http://a.test/first')
    t.match(known, { kind: 'head', authority: { host: { name: 'a.test' }, port: 80 } })
    t.equal(path, '/first')
    const [reading, second] = read(used, line)
    const [alone, expected] = read(new ForwardReader(via), line)
    t.match(alone, { kind }, `${note}: alone`)
    t.strictSame(reading, alone, note)
    if (kind === 'head') t.equal(second, expected, `${note}: its path`)
  }
})

void t.test('ForwardReader: the same is read once, until it is told to forget', async (t) => {
  const reader = new ForwardReader(via)
  const [first] = read(reader, 'GET http://a.test/a')
  t.equal(read(reader, 'GET http://a.test/b')[0], first)
  reader.forget()
  t.not(read(reader, 'GET http://a.test/b')[0], first)
})
