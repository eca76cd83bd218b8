import t from 'tap'
import {
  HeadOffsets,
  incomplete,
  malformed,
  scanFields,
  scanRequestLine,
  scanResponseHead,
  tooManyFields,
} from '../../src/wire/head-scan.ts'

const before = 'before'

interface Line {
  readonly note: string
  readonly text: string
}

/** The line scanned behind other bytes, which count for nothing. */
function requestLine(text: string): { result: number; head: HeadOffsets; bytes: Buffer } {
  const bytes = Buffer.from(before + text, 'latin1')
  const head = new HeadOffsets(3)
  const result = scanRequestLine(head, bytes, { start: before.length, end: bytes.length })
  return { result, head, bytes }
}

function fields(text: string): { result: number; lines: string[]; head: HeadOffsets } {
  const bytes = Buffer.from(before + text, 'latin1')
  const head = new HeadOffsets(3)
  const result = scanFields(head, bytes, { start: before.length, end: bytes.length })
  return { result, head, lines: printed(head, bytes) }
}

function printed(head: HeadOffsets, bytes: Buffer): string[] {
  return Array.from({ length: head.count }, (_, index) => {
    const at = (offset: number): number => head.fields[index * 4 + offset] ?? -1
    t.ok(at(0) < at(1) && at(2) <= at(3), 'nothing ends before it begins')
    return `${bytes.toString('latin1', at(0), at(1))}|${bytes.toString('latin1', at(2), at(3))}`
  })
}

void t.test('scanRequestLine finds method, target and version', async (t) => {
  const cases = [
    { text: 'GET / HTTP/1.1\r\n', want: ['GET', '/', 1] },
    { text: 'M-SEARCH * HTTP/1.0\r\n', want: ['M-SEARCH', '*', 0] },
    { text: 'x! /a?b#c\\"<>\xff HTTP/1.1\r\n', want: ['x!', '/a?b#c\\"<>\xff', 1] },
  ] as const
  for (const { text, want } of cases) {
    const { result, head, bytes } = requestLine(`${text}Host: a\r\n\r\n`)
    t.equal(result, before.length + text.length)
    t.strictSame(
      [
        bytes.toString('latin1', head.methodStart, head.methodEnd),
        bytes.toString('latin1', head.targetStart, head.targetEnd),
        head.minorVersion,
      ],
      want,
    )
    for (let cut = 0; cut < text.length; cut++) {
      t.equal(requestLine(text.slice(0, cut)).result, incomplete, `cut at ${cut}`)
    }
  }
})

const badRequestLines: readonly Line[] = [
  { note: 'no method', text: ' / HTTP/1.1\r\n' },
  { note: 'an empty line', text: '\r\n' },
  { note: 'a tab behind the method', text: 'GET\t/ HTTP/1.1\r\n' },
  { note: 'a control in the method', text: 'G\x00T / HTTP/1.1\r\n' },
  { note: 'a byte beyond ASCII in the method', text: 'G\xcbT / HTTP/1.1\r\n' },
  { note: 'two spaces behind the method', text: 'GET  / HTTP/1.1\r\n' },
  { note: 'two spaces behind the target', text: 'GET /  HTTP/1.1\r\n' },
  { note: 'a tab behind the target', text: 'GET /\tHTTP/1.1\r\n' },
  { note: 'a space in the target', text: 'GET /a b HTTP/1.1\r\n' },
  { note: 'a control in the target', text: 'GET /\x01 HTTP/1.1\r\n' },
  { note: 'DEL in the target', text: 'GET /\x7f HTTP/1.1\r\n' },
  { note: 'no version', text: 'GET /\r\n' },
  { note: 'a space and no version', text: 'GET / \r\n' },
  { note: 'a version in small letters', text: 'GET / http/1.1\r\n' },
  { note: 'another protocol', text: 'GET / HTTQ/1.1\r\n' },
  { note: 'HTTP/0.9', text: 'GET / HTTP/0.9\r\n' },
  { note: 'HTTP/2.0', text: 'GET / HTTP/2.0\r\n' },
  { note: 'HTTP/1.2', text: 'GET / HTTP/1.2\r\n' },
  { note: 'HTTP/1./', text: 'GET / HTTP/1./\r\n' },
  { note: 'HTTP/1.10', text: 'GET / HTTP/1.10\r\n' },
  { note: 'a space behind the version', text: 'GET / HTTP/1.1 \r\n' },
  { note: 'bare LF', text: 'GET / HTTP/1.1\n' },
  { note: 'bare CR', text: 'GET / HTTP/1.1\rX' },
  { note: 'two CR', text: 'GET / HTTP/1.1\r\r\n' },
]

void t.test('scanRequestLine reads nothing that only resembles one', async (t) => {
  for (const { note, text } of badRequestLines) t.equal(requestLine(text).result, malformed, note)
})

void t.test('scanFields finds names and values without the white space around', async (t) => {
  const cases = [
    { text: '\r\n', lines: [] },
    { text: 'Host: a\r\n\r\n', lines: ['Host|a'] },
    { text: 'A:\r\nB:b\r\n\r\n', lines: ['A|', 'B|b'] },
    { text: 'A: \t \r\n\r\n', lines: ['A|'] },
    { text: 'A: \t b \t c \t \r\n\r\n', lines: ['A|b \t c'] },
    { text: 'A: :"\xff:\r\n\r\n', lines: ['A|:"\xff:'] },
    { text: 'A: 1\r\na: 2\r\nA: 3\r\n\r\n', lines: ['A|1', 'a|2', 'A|3'] },
  ]
  for (const { text, lines } of cases) {
    const scanned = fields(`${text}next`)
    t.equal(scanned.result, before.length + text.length, JSON.stringify(text))
    t.strictSame(scanned.lines, lines)
    t.equal(scanned.head.fieldsStart, before.length)
    for (let cut = 0; cut < text.length; cut++) {
      t.equal(fields(text.slice(0, cut)).result, incomplete, `cut at ${cut}`)
    }
  }
})

const badFields: readonly Line[] = [
  { note: 'no name', text: ': a\r\n\r\n' },
  { note: 'no colon', text: 'A\r\n\r\n' },
  { note: 'a space before the colon', text: 'A : a\r\n\r\n' },
  { note: 'a tab before the colon', text: 'A\t: a\r\n\r\n' },
  { note: 'a space before the name', text: ' A: a\r\n\r\n' },
  { note: 'a folded line', text: 'A: a\r\n b\r\n\r\n' },
  { note: 'a line folded by a tab', text: 'A: a\r\n\tb\r\n\r\n' },
  { note: 'a control in the name', text: 'A\x00: a\r\n\r\n' },
  { note: 'a byte beyond ASCII in the name', text: 'A\xe9: a\r\n\r\n' },
  { note: 'brackets in the name', text: 'A(B): a\r\n\r\n' },
  { note: 'NUL in the value', text: 'A: a\0b\r\n\r\n' },
  { note: 'vertical tab in the value', text: 'A:\x0ba\r\n\r\n' },
  { note: 'form feed behind the value', text: 'A: a\x0c\r\n\r\n' },
  { note: 'DEL in the value', text: 'A: \x7f\r\n\r\n' },
  { note: 'bare LF behind the value', text: 'A: a\nB: b\r\n\r\n' },
  { note: 'bare CR in the value', text: 'A: a\rb\r\n\r\n' },
  { note: 'two CR behind the value', text: 'A: a\r\r\n\r\n' },
  { note: 'bare LF at the end', text: 'A: a\r\n\n' },
  { note: 'bare CR at the end', text: 'A: a\r\n\rX' },
]

void t.test('scanFields repairs nothing', async (t) => {
  for (const { note, text } of badFields) t.equal(fields(text).result, malformed, note)
})

void t.test('scanFields takes as many lines as there is room for', async (t) => {
  t.equal(fields('A: 1\r\n'.repeat(3) + '\r\n').head.count, 3)
  t.equal(fields('A: 1\r\n'.repeat(4) + '\r\n').result, tooManyFields)
  t.equal(fields('A: 1\r\n'.repeat(3) + 'B').result, tooManyFields)
})

function response(text: string): { result: number; head: HeadOffsets; lines: string[] } {
  const bytes = Buffer.from(before + text, 'latin1')
  const head = new HeadOffsets(3)
  const result = scanResponseHead(head, bytes, { start: before.length, end: bytes.length })
  return { result, head, lines: printed(head, bytes) }
}

void t.test('scanResponseHead finds status, version and fields', async (t) => {
  const cases = [
    { text: 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n', status: 200, minor: 1, lines: ['A|b'] },
    { text: 'HTTP/1.0 404 \r\n\r\n', status: 404, minor: 0, lines: [] },
    { text: 'HTTP/1.1 999\r\n\r\n', status: 999, minor: 1, lines: [] },
    { text: 'HTTP/1.1 100  \t\xff words\r\n\r\n', status: 100, minor: 1, lines: [] },
  ]
  for (const { text, status, minor, lines } of cases) {
    const scanned = response(`${text}body`)
    t.equal(scanned.result, before.length + text.length)
    t.equal(scanned.head.status, status)
    t.equal(scanned.head.minorVersion, minor)
    t.strictSame(scanned.lines, lines)
    for (let cut = 0; cut < text.length; cut++) {
      t.equal(response(text.slice(0, cut)).result, incomplete, `cut at ${cut}`)
    }
  }
})

const badResponses: readonly Line[] = [
  { note: 'another protocol', text: 'SSH-2.0-x\r\n' },
  { note: 'an empty line in front', text: '\r\nHTTP/1.1 200 OK\r\n\r\n' },
  { note: 'HTTP/2.0', text: 'HTTP/2.0 200 OK\r\n\r\n' },
  { note: 'no space', text: 'HTTP/1.1-200 OK\r\n\r\n' },
  { note: 'two spaces', text: 'HTTP/1.1  200 OK\r\n\r\n' },
  { note: 'a status of 099', text: 'HTTP/1.1 099 OK\r\n\r\n' },
  { note: 'a status of two digits', text: 'HTTP/1.1 20 OK\r\n\r\n' },
  { note: 'a status of four digits', text: 'HTTP/1.1 2000 OK\r\n\r\n' },
  { note: 'a status of signs', text: 'HTTP/1.1 2/0 OK\r\n\r\n' },
  { note: 'a status of letters', text: 'HTTP/1.1 2a0 OK\r\n\r\n' },
  { note: 'a phrase without its space', text: 'HTTP/1.1 200OK\r\n\r\n' },
  { note: 'a control in the phrase', text: 'HTTP/1.1 200 O\x1bK\r\n\r\n' },
  { note: 'bare LF behind the phrase', text: 'HTTP/1.1 200 OK\nA: b\r\n\r\n' },
  { note: 'a bad field', text: 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n' },
]

void t.test('scanResponseHead repairs nothing', async (t) => {
  for (const { note, text } of badResponses) t.equal(response(text).result, malformed, note)
  t.equal(response('HTTP/1.1 200 OK\r\n' + 'A: 1\r\n'.repeat(4) + '\r\n').result, tooManyFields)
})
