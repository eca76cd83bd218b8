import t from 'tap'
import {
  ambiguous,
  chunked,
  type Framing,
  requestFraming,
  responseFraming,
  untilClose,
} from '../../src/wire/framing.ts'
import { HeadOffsets, scanFields, scanResponseHead } from '../../src/wire/head-scan.ts'

interface Case {
  readonly note: string
  readonly fields: string
  readonly want: Framing
}

/** What both directions make of field lines; `untilClose` is where they say nothing. */
const stated: readonly Case[] = [
  { note: 'nothing', fields: 'Host: a\r\n', want: untilClose },
  { note: 'a length', fields: 'Content-Length: 5\r\n', want: 5 },
  { note: 'no bytes', fields: 'Content-Length: 0\r\n', want: 0 },
  { note: 'leading zeros', fields: 'content-length: 007\r\n', want: 7 },
  {
    note: 'the longest',
    fields: 'Content-Length: 999999999999999\r\n',
    want: 999_999_999_999_999,
  },
  { note: 'spaces around', fields: 'Content-Length:   5  \r\n', want: 5 },
  // To some a tab is a part of the value: Node's parser takes `chunked` and a tab for no coding at all.
  ...['\t5', ' \t5', '5\t', '5 \t '].flatMap((value) => [
    {
      note: `a tab beside ${JSON.stringify(value)}`,
      fields: `Content-Length:${value}\r\n`,
      want: ambiguous,
    },
    {
      note: `a tab beside ${JSON.stringify(value.replace('5', 'chunked'))}`,
      fields: `Transfer-Encoding:${value.replace('5', 'chunked')}\r\n`,
      want: ambiguous,
    },
  ]),
  { note: 'a digit too many', fields: 'Content-Length: 1000000000000000\r\n', want: ambiguous },
  { note: 'zeros too many', fields: 'Content-Length: 0000000000000005\r\n', want: ambiguous },
  ...['', '+5', '-5', '5.', '5e0', '0x5', '5 5', '5,5', '5;', '"5"', '5\xa0', 'five', '/', ':'].map(
    (value) => ({
      note: `the length ${JSON.stringify(value)}`,
      fields: `Content-Length: ${value}\r\n`,
      want: ambiguous,
    }),
  ),
  {
    note: 'two lengths',
    fields: 'Content-Length: 5\r\nContent-Length: 6\r\n',
    want: ambiguous,
  },
  {
    note: 'one length twice',
    fields: 'Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n',
    want: ambiguous,
  },
  { note: 'nothing twice', fields: 'Content-Length: 0\r\nContent-Length: 0\r\n', want: ambiguous },
  { note: 'chunks', fields: 'Transfer-Encoding: chunked\r\n', want: chunked },
  { note: 'chunks in capitals', fields: 'TRANSFER-ENCODING:CHUNKED\r\n', want: chunked },
  ...[
    '',
    'chunke',
    'chunkedd',
    'xchunked',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, identity',
    ', chunked',
    'chunked,',
    '"chunked"',
    'chunked;a=b',
    'chunked\xa0',
    'chun\tked',
    'ch\xf5nked',
  ].map((value) => ({
    note: `the coding ${JSON.stringify(value)}`,
    fields: `Transfer-Encoding: ${value}\r\n`,
    want: ambiguous,
  })),
  {
    note: 'chunks twice',
    fields: 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
    want: ambiguous,
  },
  {
    note: 'CL.TE',
    fields: 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
    want: ambiguous,
  },
  {
    note: 'TE.CL',
    fields: 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
    want: ambiguous,
  },
  {
    note: 'a length of nothing beside chunks',
    fields: 'Transfer-Encoding: chunked\r\nContent-Length: 0\r\n',
    want: ambiguous,
  },
  { note: 'other names', fields: 'Content_Length: 5\r\nX-Content-Length: 6\r\n', want: untilClose },
]

function scanned(fields: string, minorVersion = 1): [HeadOffsets, Buffer] {
  const head = new HeadOffsets(20)
  const bytes = Buffer.from(`${fields}\r\n`, 'latin1')
  t.equal(scanFields(head, bytes, { start: 0, end: bytes.length }), bytes.length)
  head.minorVersion = minorVersion
  return [head, bytes]
}

void t.test('requestFraming gives one answer or none', async (t) => {
  for (const { note, fields, want } of stated) {
    t.equal(requestFraming(...scanned(fields)), want === untilClose ? 0 : want, note)
  }
})

void t.test('responseFraming gives one answer or none', async (t) => {
  for (const { note, fields, want } of stated) {
    const [head, bytes] = scanned(fields)
    head.status = 200
    t.equal(responseFraming(head, bytes, 'GET'), want, note)
  }
})

void t.test('HTTP/1.0 knows no transfer codings', async (t) => {
  const [head, bytes] = scanned('Transfer-Encoding: chunked\r\n', 0)
  t.equal(requestFraming(head, bytes), ambiguous)
  t.equal(requestFraming(...scanned('Content-Length: 5\r\n', 0)), 5)
})

void t.test('answers that end with their head whatever its fields say', async (t) => {
  const cases = [
    { status: 200, method: 'HEAD', hasContent: false },
    { status: 404, method: 'HEAD', hasContent: false },
    { status: 100, method: 'GET', hasContent: false },
    { status: 199, method: 'GET', hasContent: false },
    { status: 204, method: 'GET', hasContent: false },
    { status: 304, method: 'GET', hasContent: false },
    { status: 200, method: 'GET', hasContent: true },
    { status: 205, method: 'GET', hasContent: true },
    { status: 203, method: 'POST', hasContent: true },
    { status: 305, method: 'POST', hasContent: true },
    { status: 200, method: 'head', hasContent: true },
  ]
  const framings = [
    ['Content-Length: 5\r\n', 5],
    ['Transfer-Encoding: chunked\r\n', chunked],
    ['', untilClose],
  ] as const
  for (const { status, method, hasContent } of cases) {
    for (const [fields, framing] of framings) {
      const head = new HeadOffsets(5)
      const bytes = Buffer.from(`HTTP/1.1 ${status} X\r\n${fields}\r\n`)
      scanResponseHead(head, bytes, { start: 0, end: bytes.length })
      const want = hasContent ? framing : 0
      t.equal(responseFraming(head, bytes, method), want, `${method} ${status} ${fields}`)
    }
    const head = new HeadOffsets(5)
    const bytes = Buffer.from(
      `HTTP/1.1 ${status} X\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n`,
    )
    scanResponseHead(head, bytes, { start: 0, end: bytes.length })
    t.equal(responseFraming(head, bytes, method), ambiguous, `${method} ${status}, two lengths`)
  }
})

void t.test('fields of the head before, which had more of them, say nothing', async (t) => {
  const [head, bytes] = scanned('A: b\r\nContent-Length: 5\r\n')
  t.equal(requestFraming(head, bytes), 5)
  const next = Buffer.from('A: b\r\n\r\n')
  scanFields(head, next, { start: 0, end: next.length })
  t.equal(requestFraming(head, next), 0)
})
