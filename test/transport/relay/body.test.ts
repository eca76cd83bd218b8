import fc from 'fast-check'
import t from 'tap'
import { Body } from '../../../src/transport/relay/body.ts'
import { chunked, type Framing, untilClose } from '../../../src/wire/framing.ts'

interface Passed {
  readonly sent: string
  readonly content: number
  readonly isWhole: boolean
  readonly isMalformed: boolean
  /** How far it belongs to the body. */
  readonly upTo: number
}

/** All pieces through one body, as they would be sent on. */
function pass(body: Body, pieces: readonly string[]): Passed {
  let sent = ''
  let content = 0
  let upTo = 0
  for (const piece of pieces) {
    const bytes = Buffer.from(`<<${piece}`, 'latin1')
    upTo = body.take(bytes, 2, bytes.length) - 2
    if (body.isMalformed) break
    content += body.pieceBytes
    const target = Buffer.alloc(body.framedBytes + 2, '.')
    body.copyTo(target, 1, bytes)
    const text = target.toString('latin1')
    t.equal(text.at(0), '.')
    t.equal(text.at(-1), '.', 'nothing is written beyond what it said')
    sent += text.slice(1, -1)
    if (body.isWhole) break
  }
  return { sent, content, isWhole: body.isWhole, isMalformed: body.isMalformed, upTo }
}

function begun(framing: Framing, writesChunks: boolean): Body {
  const body = new Body()
  body.begin(framing, writesChunks)
  return body
}

const cases: readonly {
  note: string
  framing: Framing
  writesChunks: boolean
  pieces: readonly string[]
  want: Partial<Passed>
}[] = [
  {
    note: 'a length',
    framing: 5,
    writesChunks: false,
    pieces: ['hel', 'lo'],
    want: { sent: 'hello', content: 5, isWhole: true },
  },
  {
    note: 'a length and more',
    framing: 3,
    writesChunks: false,
    pieces: ['helloworld'],
    want: { sent: 'hel', isWhole: true, upTo: 3 },
  },
  {
    note: 'a length that is not reached',
    framing: 9,
    writesChunks: false,
    pieces: ['hello'],
    want: { sent: 'hello', isWhole: false },
  },
  {
    note: 'until the end',
    framing: untilClose,
    writesChunks: false,
    pieces: ['a', 'b'],
    want: { sent: 'ab', isWhole: false },
  },
  {
    note: 'until the end, in chunks',
    framing: untilClose,
    writesChunks: true,
    pieces: ['ab', 'c'],
    want: { sent: '2\r\nab\r\n1\r\nc\r\n', content: 3 },
  },
  {
    note: 'chunks of one read become one',
    framing: chunked,
    writesChunks: true,
    pieces: ['1\r\na\r\n2\r\nbc\r\n'],
    want: { sent: '3\r\nabc\r\n', isWhole: false },
  },
  {
    note: 'chunks and their end',
    framing: chunked,
    writesChunks: true,
    pieces: ['1\r\na\r\n0\r\n\r\nnext'],
    want: { sent: '1\r\na\r\n0\r\n\r\n', isWhole: true, upTo: 11 },
  },
  {
    note: 'an end alone',
    framing: chunked,
    writesChunks: true,
    pieces: ['1\r\na\r\n', '0\r\n\r\n'],
    want: { sent: '1\r\na\r\n0\r\n\r\n', content: 1, isWhole: true },
  },
  {
    note: 'sixteen bytes and more',
    framing: chunked,
    writesChunks: true,
    pieces: [`1a\r\n${'x'.repeat(26)}\r\n`],
    want: { sent: `1a\r\n${'x'.repeat(26)}\r\n` },
  },
  {
    note: 'a chunk in two reads',
    framing: chunked,
    writesChunks: true,
    pieces: ['4\r\nab', 'cd\r\n0\r\n\r\n'],
    want: { sent: '2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n' },
  },
  {
    note: 'chunks for whoever reads none',
    framing: chunked,
    writesChunks: false,
    pieces: ['1\r\na\r\n2\r\nbc\r\n0\r\n\r\n'],
    want: { sent: 'abc', isWhole: true },
  },
  {
    note: 'chunks that break',
    framing: chunked,
    writesChunks: true,
    pieces: ['1\r\na\r\n', 'x'],
    want: { sent: '1\r\na\r\n', isWhole: false, isMalformed: true },
  },
  {
    note: 'nothing',
    framing: 0,
    writesChunks: false,
    pieces: ['next'],
    want: { sent: '', isWhole: true, upTo: 0 },
  },
]

void t.test('Body passes on its content and nothing else, framed for the other side', async (t) => {
  const again = new Body()
  for (const { note, framing, writesChunks, pieces, want } of cases) {
    t.match(pass(begun(framing, writesChunks), pieces), want, note)
    again.begin(framing, writesChunks)
    t.match(pass(again, pieces), want, `${note}, behind others`)
  }
})

void t.test('only what the end of the connection delimits is ended by it', async (t) => {
  for (const framing of [50, chunked]) {
    const body = begun(framing, framing < 0)
    pass(body, ['1\r\na\r\n'])
    t.equal(body.endByClose(), false)
    t.equal(body.isWhole, false)
  }
  const plain = begun(untilClose, false)
  pass(plain, ['abc'])
  t.equal(plain.endByClose(), true)
  t.equal(plain.isWhole, true)
  t.equal(plain.framedBytes, 0)
  const inChunks = begun(untilClose, true)
  pass(inChunks, ['abc'])
  t.equal(inChunks.endByClose(), true)
  const end = Buffer.alloc(inChunks.framedBytes)
  inChunks.copyTo(end, 0, Buffer.alloc(0))
  t.equal(end.toString(), '0\r\n\r\n')
})

void t.test('a body that nothing has begun is whole, and takes nothing', async (t) => {
  const body = new Body()
  t.equal(body.isWhole, true)
  t.equal(body.isMalformed, false)
  t.equal(body.take(Buffer.from('next'), 1, 4), 1)
  t.equal(body.framedBytes, 0)
  t.equal(body.endByClose(), false)
})

void t.test('whatever the cut, the content is the same', async (t) => {
  const content = fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', '\xff'), maxLength: 60 })
  const run = fc.check(
    fc.property(
      fc.array(content, { maxLength: 5 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (parts, cuts) => {
        const whole = parts.join('')
        const chunks = parts
          .filter((part) => part !== '')
          .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
        const text = `${chunks.join('')}0\r\n\r\n`
        const ends = [...cuts.map((cut) => cut % text.length), text.length].toSorted(
          (a, b) => a - b,
        )
        const pieces = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end))
        const plain = pass(begun(chunked, false), pieces)
        const framed = pass(begun(chunked, true), pieces)
        const again = pass(begun(chunked, false), [framed.sent])
        return plain.sent === whole && again.sent === whole && framed.isWhole && again.isWhole
      },
    ),
    { numRuns: 500, interruptAfterTimeLimit: 2000 },
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})
