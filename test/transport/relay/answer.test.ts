import fc from 'fast-check'
import { Duplex } from 'node:stream'
import t from 'tap'
import { Answer, type AnswerFor } from '../../../src/transport/relay/answer.ts'

/** Keeps what is written, each write by itself. `room`: how many bytes it takes before it says that it is full. */
class Client extends Duplex {
  readonly writes: string[] = []

  constructor(room = 1e9) {
    super({ highWaterMark: room, decodeStrings: true, read: () => {} })
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.toString('latin1'))
    // What has no room is never taken: nothing drains.
    if (this.writableLength < this.writableHighWaterMark) done()
  }

  /** What is held until the end of the turn is written at once here. */
  override cork(): void {}

  /** Without the fields that are different each time. */
  get text(): string {
    return this.writes.join('').replace(/Date: [^\r]*\r\n|x-[a-z-]*-id: id\r\n/g, '')
  }
}

function answerTo(more: Partial<Omit<AnswerFor, 'client'>> = {}, room?: number) {
  const client = new Client(room)
  const answer = new Answer({
    client,
    method: 'GET',
    clientVersion: '1.1',
    correlationId: 'id',
    answerLines: '',
    isLast: () => false,
    ...more,
  })
  return { client, answer }
}

function take(answer: Answer, text: string): boolean {
  const bytes = Buffer.from(`${text}the rest of the shared buffer`, 'latin1')
  const isTaken = answer.take(bytes, text.length)
  // The next read overwrites it: nothing may have been kept.
  bytes.fill('!')
  return isTaken
}

/** The chunks of an answer as one piece: how many there are depends on the cut. */
function joined(text: string): string {
  const end = text.indexOf('chunked\r\n\r\n')
  if (end === -1) return text
  let content = ''
  let at = end + 'chunked\r\n\r\n'.length
  while (at < text.length) {
    const lineEnd = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    content += size === 0 ? 'the end' : text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 2 + size + 2
  }
  return text.slice(0, end) + content
}

const ok = 'HTTP/1.1 200 OK\r\n'

interface Case {
  readonly note: string
  readonly text: string
  readonly to?: Partial<AnswerFor>
  readonly want: string
  readonly has?: Partial<Answer>
}

const cases: readonly Case[] = [
  {
    note: 'a length',
    text: `${ok}Content-Length: 2\r\n\r\nhi`,
    want: `${ok}Content-Length: 2\r\n\r\nhi`,
    has: {
      isWhole: true,
      keepsUpstream: true,
      hasMore: false,
      bytesOut: 2,
      status: 200,
      isLast: false,
    },
  },
  {
    note: 'a length and more',
    text: `${ok}Content-Length: 2\r\n\r\nhi!`,
    want: `${ok}Content-Length: 2\r\n\r\nhi`,
    has: { isWhole: true, hasMore: true },
  },
  {
    note: 'a length that is not reached',
    text: `${ok}Content-Length: 3\r\n\r\nhi`,
    want: `${ok}Content-Length: 3\r\n\r\nhi`,
    has: { isWhole: false },
  },
  {
    note: 'chunks',
    text: `${ok}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;x\r\nb\r\n0\r\nA: b\r\n\r\n`,
    want: `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
    has: { isWhole: true, keepsUpstream: true, bytesOut: 2 },
  },
  {
    note: 'chunks for HTTP/1.0',
    text: `${ok}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n`,
    to: { clientVersion: '1.0' },
    want: `${ok}Connection: close\r\n\r\nab`,
    has: { isWhole: true, isLast: true },
  },
  {
    note: 'until the end',
    text: `${ok}\r\nhi`,
    want: `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`,
    has: { isWhole: false, keepsUpstream: false },
  },
  {
    note: 'HEAD',
    text: `${ok}Content-Length: 2\r\n\r\nhi`,
    to: { method: 'HEAD' },
    want: `${ok}Content-Length: 2\r\n\r\n`,
    has: { isWhole: true, hasMore: true, bytesOut: 0 },
  },
  {
    note: '304',
    text: 'HTTP/1.1 304 x\r\nContent-Length: 2\r\n\r\n',
    want: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n',
    has: { isWhole: true, keepsUpstream: true },
  },
  {
    note: 'the last, and a back end that closes',
    text: `${ok}Connection: close\r\nContent-Length: 0\r\n\r\n`,
    to: { isLast: () => true },
    want: `${ok}Content-Length: 0\r\nConnection: close\r\n\r\n`,
    has: { isWhole: true, isLast: true, keepsUpstream: false },
  },
  {
    note: 'a hint',
    text: `${ok}Keep-Alive: timeout=7\r\nContent-Length: 0\r\n\r\n`,
    want: `${ok}Content-Length: 0\r\n\r\n`,
    has: { hintMs: 7000 },
  },
  {
    note: 'early hints in front, and 100, which was ours to say',
    text: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: a\r\n\r\n${ok}Content-Length: 0\r\n\r\n`,
    want: `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${ok}Content-Length: 0\r\n\r\n`,
    has: { isWhole: true },
  },
  {
    note: 'early hints for HTTP/1.0',
    text: `HTTP/1.1 103 x\r\nLink: a\r\n\r\n${ok}Content-Length: 0\r\n\r\n`,
    to: { clientVersion: '1.0', isLast: () => true },
    want: `${ok}Content-Length: 0\r\nConnection: close\r\n\r\n`,
  },
]

void t.test('Answer passes on what belongs to it, in any cut', async (t) => {
  for (const { note, text, to, want, has = {} } of cases) {
    const whole = answerTo(to)
    take(whole.answer, text)
    t.equal(whole.client.text, want, note)
    t.match(whole.answer, has, note)
    const slow = answerTo(to)
    for (const byte of text) if (!slow.answer.isWhole) take(slow.answer, byte)
    t.equal(slow.answer.isInvalid, false)
    t.equal(slow.answer.bytesOut, whole.answer.bytesOut, `${note}, byte by byte`)
    t.equal(joined(slow.client.text), joined(want), `${note}, byte by byte`)
  }
})

const invalid = [
  { note: 'no HTTP', text: 'SSH-2.0\r\n' },
  { note: 'a switch', text: 'HTTP/1.1 101 x\r\nUpgrade: a\r\n\r\n' },
  { note: 'two lengths', text: `${ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\n` },
  { note: 'chunks in HTTP/1.0', text: 'HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n' },
  { note: 'a head without end', text: `${ok}A: ${'b'.repeat(70_000)}` },
  { note: 'very many lines', text: `${ok}${'A: b\r\n'.repeat(1001)}\r\n` },
  { note: 'a bad chunk behind its head', text: `${ok}Transfer-Encoding: chunked\r\n\r\nx\r\n` },
]

void t.test('what cannot be passed on says nothing to the client', async (t) => {
  for (const { note, text } of invalid) {
    const { client, answer } = answerTo()
    t.equal(take(answer, text), false, note)
    t.equal(answer.isInvalid, true, note)
    t.strictSame(client.writes, [], note)
  }
})

void t.test('head and body leave in one write', async (t) => {
  for (const body of ['hi', 'x'.repeat(20_000)]) {
    const { client, answer } = answerTo()
    take(answer, `${ok}Content-Length: ${body.length}\r\n\r\n${body}`)
    t.equal(client.writes.length, 1)
  }
})

void t.test('a client that is full is said to be', async (t) => {
  const cases = [
    `${ok}Content-Length: 9000\r\n\r\n${'x'.repeat(2000)}`,
    'HTTP/1.1 103 x\r\nA: b\r\n\r\n',
  ]
  for (const text of cases) {
    const full = answerTo({}, 10)
    t.equal(take(full.answer, text), false)
    const wide = answerTo()
    t.equal(take(wide.answer, text), true)
  }
})

void t.test('isUntouched until anything has come', async (t) => {
  for (const text of ['H', 'HTTP/1.1 100 x\r\n\r\n', `${ok}\r\n`]) {
    const { answer } = answerTo()
    t.equal(answer.isUntouched, true)
    take(answer, text)
    t.equal(answer.isUntouched, false, text)
  }
})

void t.test('more than 32 informational answers are a flood', async (t) => {
  const { answer } = answerTo()
  take(answer, 'HTTP/1.1 103 x\r\n\r\n'.repeat(32))
  t.equal(answer.isInvalid, false)
  take(answer, 'HTTP/1.1 103 x\r\n\r\n')
  t.equal(answer.isInvalid, true)
})

void t.test('the end of the connection ends what only that delimits', async (t) => {
  const plain = answerTo()
  t.equal(plain.answer.endByClose(), false, 'nothing has come')
  take(plain.answer, `${ok}\r\nhi`)
  t.equal(plain.answer.endByClose(), true)
  t.match(plain.client.text, /2\r\nhi\r\n0\r\n\r\n$/)
  const old = answerTo({ clientVersion: '1.0' })
  take(old.answer, `${ok}\r\nhi`)
  t.equal(old.answer.endByClose(), true)
  t.match(old.client.text, /\r\n\r\nhi$/)
  const cut = answerTo()
  take(cut.answer, `${ok}Content-Length: 5\r\n\r\nhi`)
  t.equal(cut.answer.endByClose(), false)
})

void t.test('an answer by length is the same in any cut', async (t) => {
  const run = fc.check(
    fc.property(
      fc.string({ maxLength: 50 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (body, cuts) => {
        const bytes = Buffer.from(body, 'latin1').toString('latin1')
        const text = `${ok}A: b\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes}`
        const { client, answer } = answerTo()
        const ends = [...cuts.map((cut) => cut % text.length), text.length].toSorted(
          (a, b) => a - b,
        )
        for (const [index, end] of ends.entries()) {
          const piece = text.slice(ends[index - 1] ?? 0, end)
          if (piece !== '') take(answer, piece)
        }
        return answer.isWhole && client.text === text
      },
    ),
    { numRuns: 300, interruptAfterTimeLimit: 2000 },
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})
