import t from 'tap'
import { ChunkedReader, ChunkedStep } from '../../src/wire/chunked.ts'

interface Reading {
  readonly content: string
  readonly step: number
  /** How far the reader came. */
  readonly end: number
}

/** Reads all of it, in pieces of at most so many bytes. */
function read(text: string, pieceLength = text.length): Reading {
  const bytes = Buffer.from(text, 'latin1')
  const reader = new ChunkedReader()
  let content = ''
  let at = 0
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + pieceLength)
    at = reader.read(bytes, at, end)
    if (reader.step === ChunkedStep.data) {
      content += bytes.toString('latin1', reader.dataStart, reader.dataEnd)
    } else if (reader.step !== ChunkedStep.more) {
      break
    }
  }
  return { content, step: reader.step, end: at }
}

const whole: readonly { note: string; text: string; content: string }[] = [
  { note: 'nothing', text: '0\r\n\r\n', content: '' },
  { note: 'one chunk', text: '3\r\nabc\r\n0\r\n\r\n', content: 'abc' },
  { note: 'several', text: '1\r\na\r\n2\r\nbc\r\n0\r\n\r\n', content: 'abc' },
  {
    note: 'content that looks like chunks',
    text: '5\r\n0\r\n\r\n\r\n0\r\n\r\n',
    content: '0\r\n\r\n',
  },
  { note: 'sixteen', text: `10\r\n${'x'.repeat(16)}\r\n0\r\n\r\n`, content: 'x'.repeat(16) },
  { note: 'small letters', text: `a\r\n${'x'.repeat(10)}\r\n0\r\n\r\n`, content: 'x'.repeat(10) },
  { note: 'capitals', text: `F\r\n${'x'.repeat(15)}\r\n0\r\n\r\n`, content: 'x'.repeat(15) },
  { note: 'leading zeros', text: '003\r\nabc\r\n000\r\n\r\n', content: 'abc' },
  { note: 'twelve digits', text: '000000000003\r\nabc\r\n0\r\n\r\n', content: 'abc' },
  { note: 'an extension', text: '3;a\r\nabc\r\n0;b=c\r\n\r\n', content: 'abc' },
  { note: 'extensions', text: '3;a;b=c;d="e"\r\nabc\r\n0\r\n\r\n', content: 'abc' },
  {
    note: 'a quoted extension with all that it may hold',
    text: '3;a="\\"\t;=\\\\\xff"\r\nabc\r\n0\r\n\r\n',
    content: 'abc',
  },
  { note: 'an empty quoted extension', text: '3;a="";b\r\nabc\r\n0\r\n\r\n', content: 'abc' },
  { note: 'a trailer', text: '0\r\nA: b\r\n\r\n', content: '' },
  {
    note: 'trailers',
    text: '1\r\na\r\n0\r\nA: b\r\nContent-Lengths:5\r\nB:\r\n\r\n',
    content: 'a',
  },
]

void t.test('ChunkedReader reads content and drops the rest, in any cut', async (t) => {
  for (const { note, text, content } of whole) {
    for (const pieceLength of [text.length, 1, 2, 3, 7]) {
      const behind = `${text}next`
      t.strictSame(
        read(behind, pieceLength),
        { content, step: ChunkedStep.end, end: text.length },
        `${note}, ${pieceLength} bytes at a time`,
      )
    }
    for (let cut = 0; cut < text.length; cut++) {
      t.not(read(text.slice(0, cut)).step, ChunkedStep.end, `${note}, cut at ${cut}`)
    }
  }
})

/** Each breaks at its last byte. */
const broken: readonly { note: string; text: string }[] = [
  { note: 'no size', text: '\r' },
  { note: 'a size that is none', text: 'g' },
  { note: 'a blank in front', text: ' ' },
  { note: 'a sign', text: '+' },
  { note: 'a negative size', text: '-' },
  { note: '0x', text: '0x' },
  { note: 'an underscore', text: '1_' },
  { note: 'a blank behind the size', text: '3 ' },
  { note: 'a tab behind the size', text: '3\t' },
  { note: 'thirteen digits', text: '0000000000003' },
  { note: 'a size that overflows', text: 'fffffffffffff' },
  { note: 'bare LF behind the size', text: '3\n' },
  { note: 'bare CR behind the size', text: '3\ra' },
  { note: 'content that is longer than it says', text: '3\r\nabcd' },
  { note: 'bare LF behind the content', text: '3\r\nabc\n' },
  { note: 'bare CR behind the content', text: '3\r\nabc\r1' },
  { note: 'an empty line behind the content', text: '3\r\nabc\r\n\r' },
  { note: 'an extension without a name', text: '3;\r' },
  { note: 'a blank in front of an extension', text: '3; ' },
  { note: 'a blank behind an extension', text: '3;a ' },
  { note: 'an extension without a value', text: '3;a=\r' },
  { note: 'an extension without a value, and the next', text: '3;a=;' },
  { note: 'a control in an extension', text: '3;a\x00' },
  { note: 'a control in its value', text: '3;a=b\x00' },
  { note: 'bare LF behind an extension (CVE-2025-22871)', text: '3;a\n' },
  { note: 'bare CR behind an extension', text: '3;a\rb' },
  { note: 'a line end in quotes', text: '3;a="\r' },
  { note: 'an escaped line end', text: '3;a="\\\n' },
  { note: 'something behind the quotes', text: '3;a="b"c' },
  { note: 'extensions without end (CVE-2023-39326)', text: `3;${'a'.repeat(257)}` },
  { note: 'many small extensions', text: `3${';a'.repeat(128)};b` },
  { note: 'bare LF behind the last size', text: '0\n' },
  { note: 'bare LF at the end', text: '0\r\n\n' },
  { note: 'bare CR at the end', text: '0\r\n\rx' },
  { note: 'a trailer without a name', text: '0\r\n:' },
  { note: 'a length as a trailer', text: '0\r\ncontent-Length:' },
  { note: 'a coding as a trailer', text: '0\r\nA: b\r\nTransfer-Encoding:' },
  { note: 'a length in another spelling', text: '0\r\nContent_Length:' },
  { note: 'a trailer with a blank in front', text: '0\r\n ' },
  { note: 'a trailer without a colon', text: '0\r\nA\r' },
  { note: 'a blank before its colon', text: '0\r\nA ' },
  { note: 'a control in its value', text: '0\r\nA: \0' },
  { note: 'bare LF behind a trailer', text: '0\r\nA: b\n' },
  { note: 'bare CR behind a trailer', text: '0\r\nA: b\rB' },
  { note: 'a folded trailer', text: '0\r\nA: b\r\n ' },
  { note: 'trailers without end', text: `0\r\nA:${'b'.repeat(4095)}` },
  { note: 'many small trailers', text: `0\r\n${'A:\r\n'.repeat(1024)}A` },
]

void t.test('ChunkedReader repairs nothing, and a broken body stays broken', async (t) => {
  for (const { note, text } of broken) {
    for (const pieceLength of [text.length + 9, 1]) {
      const reading = read(`${text}\r\n\r\n0\r\n\r\n`, pieceLength)
      t.equal(reading.step, ChunkedStep.malformed, note)
      t.equal(reading.end, text.length - 1, `${note}: at its last byte`)
    }
    const reader = new ChunkedReader()
    const bytes = Buffer.from(text, 'latin1')
    for (let at = 0; at < bytes.length;) {
      at = reader.read(bytes, at, bytes.length)
      if (reader.step === ChunkedStep.malformed) break
    }
    for (const more of ['\r\n0\r\n\r\n', '\n', ';a\r\n\r\n', '0\r\n\r\n']) {
      reader.read(Buffer.from(more), 0, more.length)
      t.equal(reader.step, ChunkedStep.malformed, `${note}, and then ${JSON.stringify(more)}`)
    }
  }
})

void t.test('each chunk has room for extensions of its own', async (t) => {
  const long = `1;${'a'.repeat(200)}\r\nx\r\n`
  t.equal(
    read(`${long}${long}0;${'a'.repeat(200)}\r\nA: ${'b'.repeat(4000)}\r\n\r\n`).content,
    'xx',
  )
})

void t.test('a chunk may be larger than any read of it', async (t) => {
  const reader = new ChunkedReader()
  const head = Buffer.from('ffffffffffff\r\n')
  reader.read(head, 0, head.length)
  const piece = Buffer.alloc(1000)
  for (let count = 0; count < 10; count++) {
    t.equal(reader.read(piece, 0, piece.length), piece.length)
    t.equal(reader.step, ChunkedStep.data)
  }
})

void t.test('nothing is read behind the end, until it is reset', async (t) => {
  const reader = new ChunkedReader()
  const bytes = Buffer.from('0\r\n\r\n')
  t.equal(reader.read(bytes, 0, bytes.length), bytes.length)
  t.equal(reader.step, ChunkedStep.end)
  t.equal(reader.read(bytes, 0, bytes.length), 0)
  t.equal(reader.step, ChunkedStep.malformed)
  reader.reset()
  t.equal(reader.read(bytes, 0, bytes.length), bytes.length)
  t.equal(reader.step, ChunkedStep.end)
})

void t.test('a reset forgets what was under way', async (t) => {
  for (const begun of ['ff', 'ff\r\nab', '3;a', '0\r\nA: b']) {
    const reader = new ChunkedReader()
    const bytes = Buffer.from(begun)
    for (let at = 0; at < bytes.length;) at = reader.read(bytes, at, bytes.length)
    reader.reset()
    const next = Buffer.from('1\r\nx\r\n0\r\n\r\n')
    const at = reader.read(next, 0, next.length)
    t.equal(reader.step, ChunkedStep.data)
    t.equal(reader.read(next, at, next.length), next.length)
    t.equal(reader.step, ChunkedStep.end)
  }
})
