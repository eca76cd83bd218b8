import { PassThrough } from 'node:stream'
import t from 'tap'
import {
  type AnswerHead,
  answerHeadRoom,
  composeAnswerHead,
  composeInformational,
  currentDateLine,
  informationalRoom,
  isSentInChunks,
  readPersistence,
} from '../../../src/transport/relay/answer-head.ts'
import { Composer } from '../../../src/transport/relay/composer.ts'
import { Outbox } from '../../../src/transport/relay/outbox.ts'
import { chunked, untilClose } from '../../../src/wire/framing.ts'
import { HeadOffsets, scanResponseHead } from '../../../src/wire/head-scan.ts'

function scan(text: string): [HeadOffsets, Buffer] {
  const head = new HeadOffsets(20)
  const bytes = Buffer.from(`${text}\r\n`, 'latin1')
  t.equal(scanResponseHead(head, bytes, { start: 0, end: bytes.length }), bytes.length)
  return [head, bytes]
}

const base: AnswerHead = {
  clientVersion: '1.1',
  framing: 5,
  correlationId: 'id',
  ownLines: '',
  isLast: false,
}

/** What is written of what is composed in so much room. */
function composed(room: number, compose: (out: Composer) => void): string {
  const outbox = new Outbox((send) => process.nextTick(send))
  const out = new Composer(outbox)
  const stream = new PassThrough()
  out.begin(stream, room)
  compose(out)
  out.send()
  stream.uncork()
  const sent: unknown = stream.read()
  return Buffer.isBuffer(sent) ? sent.toString('latin1') : ''
}

function answerHead(head: HeadOffsets, bytes: Buffer, answer: AnswerHead): string {
  const room = answerHeadRoom(bytes.length, answer)
  return composed(room, (out) => composeAnswerHead(out, { head, bytes, answer }))
}

/** Without what every answer has, of which there is a test below. */
function formatted(text: string, answer: Partial<AnswerHead> = {}): string {
  const head = answerHead(...scan(text), { ...base, ...answer })
  return head.replace(
    /x-ringfence-correlation-id: id\r\n|x-ms-request-id: id\r\n|Date: [^\r]*GMT\r\n/g,
    '',
  )
}

const ok = 'HTTP/1.1 200 OK\r\n'

const cases: readonly { note: string; text: string; answer?: Partial<AnswerHead>; want: string }[] =
  [
    {
      note: 'fields as they came',
      text: `${ok}A:\tb \r\nContent-Length: 5\r\n`,
      want: `${ok}A:\tb \r\nContent-Length: 5\r\n\r\n`,
    },
    { note: 'no fields', text: ok, answer: { framing: 0 }, want: `${ok}\r\n` },
    {
      note: 'our phrase',
      text: 'HTTP/1.0 404 <b>\r\nA: b\r\n',
      want: 'HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n',
    },
    {
      note: 'a status without a phrase',
      text: 'HTTP/1.1 799 a\r\n',
      want: 'HTTP/1.1 799 Unknown\r\n\r\n',
    },
    {
      note: 'what is for one hop only goes, wherever it stands',
      text: `${ok}TE: a\r\nA: b\r\nKeep-Alive: a\r\nUpgrade: a\r\nB: c\r\nProxy-Authenticate: a\r\nTrailer: a\r\n`,
      want: `${ok}A: b\r\nB: c\r\n\r\n`,
    },
    {
      note: 'named fields go',
      text: `${ok}x-a: b\r\nConnection: close, X-A\r\nB: c\r\nX-a: d\r\n`,
      want: `${ok}B: c\r\n\r\n`,
    },
    {
      note: 'named in several lines',
      text: `${ok}A: b\r\nConnection: a\r\nConnection: b\r\nB: c\r\nC: d\r\n`,
      want: `${ok}C: d\r\n\r\n`,
    },
    {
      note: 'a length stays, whoever names it',
      text: `${ok}Connection: content-length\r\nContent-Length: 5\r\n`,
      want: `${ok}Content-Length: 5\r\n\r\n`,
    },
    {
      note: 'keep-alive names nothing',
      text: `${ok}Connection: keep-alive\r\nA: b\r\n`,
      want: `${ok}A: b\r\n\r\n`,
    },
    {
      note: 'an id like ours is ours',
      text: `${ok}X-Ringfence-Correlation-Id: forged\r\nA: b\r\n`,
      want: `${ok}A: b\r\n\r\n`,
    },
    {
      note: '204 has no length',
      text: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nA: b\r\n',
      answer: { framing: 0 },
      want: 'HTTP/1.1 204 No Content\r\nA: b\r\n\r\n',
    },
    {
      note: '304 keeps it',
      text: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n',
      answer: { framing: 0 },
      want: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    },
    {
      note: 'chunks',
      text: `${ok}Transfer-Encoding: chunked\r\n`,
      answer: { framing: chunked },
      want: `${ok}Transfer-Encoding: chunked\r\n\r\n`,
    },
    {
      note: 'chunks for HTTP/1.0',
      text: `${ok}Transfer-Encoding: chunked\r\n`,
      answer: { framing: chunked, clientVersion: '1.0', isLast: true },
      want: `${ok}Connection: close\r\n\r\n`,
    },
    {
      note: 'until the end',
      text: `${ok}A: b\r\n`,
      answer: { framing: untilClose },
      want: `${ok}A: b\r\nTransfer-Encoding: chunked\r\n\r\n`,
    },
    {
      note: 'the last',
      text: `${ok}A: b\r\n`,
      answer: { isLast: true },
      want: `${ok}A: b\r\nConnection: close\r\n\r\n`,
    },
    {
      note: 'HTTP/1.0 that is kept',
      text: `${ok}A: b\r\n`,
      answer: { clientVersion: '1.0' },
      want: `${ok}A: b\r\nConnection: keep-alive\r\n\r\n`,
    },
    {
      note: 'lines of our own',
      text: `${ok}A: b\r\n`,
      answer: { ownLines: 'Via: us\r\n' },
      want: `${ok}A: b\r\nVia: us\r\n\r\n`,
    },
  ]

void t.test('composeAnswerHead passes on what is for the client', async (t) => {
  for (const { note, text, answer, want } of cases) t.equal(formatted(text, answer), want, note)
})

void t.test('every answer has an id, and a date where it came without', async (t) => {
  const [head, bytes] = scan(`${ok}A: b\r\nDate: then\r\nX-Ms-Request-Id: theirs\r\n`)
  const given = answerHead(head, bytes, base)
  t.match(given, 'Date: then\r\nX-Ms-Request-Id: theirs\r\nx-ringfence-correlation-id: id\r\n')
  t.notMatch(given, 'GMT')
  t.notMatch(given, 'x-ms-request-id: id')
  // The same offsets again: what the head before had counts for nothing.
  const next = Buffer.from(`${ok}A: b\r\n\r\n`)
  scanResponseHead(head, next, { start: 0, end: next.length })
  const bare = answerHead(head, next, base)
  t.match(bare, 'x-ringfence-correlation-id: id\r\n')
  t.match(bare, 'x-ms-request-id: id\r\n')
  t.match(bare, /\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/)
})

void t.test('composeInformational has no length and nothing of ours', async (t) => {
  const [head, bytes] = scan(
    'HTTP/1.1 103 x\r\nLink: a\r\nContent-Length: 5\r\nX-Ms-Request-Id: a\r\nConnection: close\r\n',
  )
  const room = informationalRoom(bytes.length)
  const text = composed(room, (out) => composeInformational(out, head, bytes))
  t.equal(text, 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n')
})

void t.test('isSentInChunks where HTTP/1.1 is told no length', async (t) => {
  t.equal(isSentInChunks(chunked, '1.1'), true)
  t.equal(isSentInChunks(untilClose, '1.1'), true)
  t.equal(isSentInChunks(0, '1.1'), false)
  t.equal(isSentInChunks(5, '1.1'), false)
  t.equal(isSentInChunks(chunked, '1.0'), false)
  t.equal(isSentInChunks(untilClose, '1.0'), false)
})

const persistence = [
  {
    note: 'in the usual words',
    text: `${ok}Connection: close\r\n`,
    want: { closes: true, hintMs: undefined },
  },
  {
    note: 'HTTP/1.0 in the usual words',
    text: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n',
    want: { closes: false, hintMs: undefined },
  },
  { note: 'HTTP/1.1 keeps', text: ok, want: { closes: false, hintMs: undefined } },
  {
    note: 'unless it says so',
    text: `${ok}Connection: a, Close\r\n`,
    want: { closes: true, hintMs: undefined },
  },
  {
    note: 'in any line',
    text: `${ok}Connection: keep-alive\r\nConnection: close\r\n`,
    want: { closes: true, hintMs: undefined },
  },
  {
    note: 'HTTP/1.0 closes',
    text: 'HTTP/1.0 200 OK\r\n',
    want: { closes: true, hintMs: undefined },
  },
  {
    note: 'unless it says so',
    text: 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n',
    want: { closes: false, hintMs: undefined },
  },
  {
    note: 'a connection that is authenticated is for nobody else',
    text: `${ok}WWW-Authenticate: NTLM\r\nKeep-Alive: timeout=7\r\n`,
    want: { closes: true, hintMs: undefined },
  },
  {
    note: 'by a proxy as well',
    text: `${ok}Proxy-Authenticate: Basic\r\nProxy-Authenticate: Negotiate a\r\n`,
    want: { closes: true, hintMs: undefined },
  },
  {
    note: 'one on which requests are authenticated is for everybody',
    text: `${ok}WWW-Authenticate: Basic\r\n`,
    want: { closes: false, hintMs: undefined },
  },
  {
    note: 'a hint',
    text: `${ok}Keep-Alive: timeout=7, max=9\r\n`,
    want: { closes: false, hintMs: 7000 },
  },
  {
    note: 'a hint behind another',
    text: `${ok}Keep-Alive: max=9, Timeout=7\r\n`,
    want: { closes: false, hintMs: 7000 },
  },
  {
    note: 'a hint that is none',
    text: `${ok}Keep-Alive: timeouts=7, xtimeout=7, timeout=7s\r\n`,
    want: { closes: false, hintMs: undefined },
  },
]

void t.test('readPersistence reads what the back end says of its connection', async (t) => {
  for (const { note, text, want } of persistence)
    t.strictSame(readPersistence(...scan(text)), want, note)
})

void t.test('currentDateLine is a whole line', async (t) => {
  t.match(currentDateLine(), /^Date: .* GMT\r\n$/)
  const shown = Date.parse(currentDateLine().slice(6))
  t.ok(Math.abs(Date.now() - shown) < 2000)
})
