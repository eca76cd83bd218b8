import fc from 'fast-check'
import t from 'tap'
import { ChunkedReader, ChunkedStep } from '../../src/wire/chunked.ts'
import { requestFraming, responseFraming } from '../../src/wire/framing.ts'
import {
  HeadOffsets,
  incomplete,
  malformed,
  scanFields,
  scanRequestLine,
  scanResponseHead,
} from '../../src/wire/head-scan.ts'

const limits = { numRuns: 2000, interruptAfterTimeLimit: 3000 }

/** Another way to read the same: the grammar as expressions over the whole text. */
const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP\/1\.([01])\r\n/
const statusLine = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?\r\n/
const fieldLine =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*\r\n/

interface NaiveHead {
  readonly start: readonly string[]
  readonly fields: readonly string[]
  readonly length: number
}

/** Undefined: no whole head stands at the beginning. */
function readNaively(text: string, first: RegExp): NaiveHead | undefined {
  const start = first.exec(text)
  if (start === null) return undefined
  const fields: string[] = []
  let at = start[0].length
  while (!text.startsWith('\r\n', at)) {
    const line = fieldLine.exec(text.slice(at))
    if (line === null) return undefined
    fields.push(line[1] ?? '', line[2] ?? '')
    at += line[0].length
  }
  return { start: start.slice(1), fields, length: at + 2 }
}

const head = new HeadOffsets(50)

function scan(text: string, first: RegExp): NaiveHead | number {
  const bytes = Buffer.from(text, 'latin1')
  const end = bytes.length
  let result: number
  let start: string[]
  if (first === requestLine) {
    const behind = scanRequestLine(head, bytes, { start: 0, end })
    result = behind <= 0 ? behind : scanFields(head, bytes, { start: behind, end })
    start = [
      bytes.toString('latin1', head.methodStart, head.methodEnd),
      bytes.toString('latin1', head.targetStart, head.targetEnd),
      String(head.minorVersion),
    ]
  } else {
    result = scanResponseHead(head, bytes, { start: 0, end })
    start = [String(head.minorVersion), String(head.status)]
  }
  if (result <= 0) return result
  const fields: string[] = []
  for (let index = 0; index < head.count * 4; index += 2) {
    fields.push(bytes.toString('latin1', head.fields[index], head.fields[index + 1]))
  }
  requestFraming(head, bytes)
  responseFraming(head, bytes, 'GET')
  return { start, fields, length: result }
}

const char = fc.constantFrom(...' \t\r\n:/.;,="\0\x0b\x7f\xa0\xe9aZ019-_!HTTP/1.1GET'.split(''))
const name = fc.constantFrom('Host', 'content-length', 'TE', 'Transfer-Encoding', 'X-A', '!')
const value = fc.oneof(
  fc.constantFrom('', 'a', '5', 'chunked', 'a b', ' \t'),
  fc.string({ unit: char }),
)
const line = fc.tuple(name, fc.constantFrom(':', ': ', ':\t ', ' :'), value).map((x) => x.join(''))
const begin = fc.constantFrom(
  'GET / HTTP/1.1',
  'PUT /a?b HTTP/1.0',
  'HTTP/1.1 200 OK',
  'HTTP/1.0 404',
)

/** A head, and then a few bytes of it put out, put in or exchanged. */
const almostHead = fc
  .tuple(
    begin,
    fc.array(line, { maxLength: 4 }),
    fc.array(fc.tuple(fc.nat(), fc.nat(2), char), { maxLength: 2 }),
    fc.string({ unit: char, maxLength: 4 }),
  )
  .map(([first, lines, changes, behind]) => {
    let text = [first, ...lines, '', ''].join('\r\n') + behind
    for (const [where, taken, put] of changes) {
      const at = where % (text.length + 1)
      text = text.slice(0, at) + (taken === 2 ? '' : put) + text.slice(at + (taken === 0 ? 0 : 1))
    }
    return text
  })

for (const first of [requestLine, statusLine]) {
  const what = first === requestLine ? 'a request' : 'an answer'

  void t.test(`${what} is read as its grammar says, or not at all`, async (t) => {
    let whole = 0
    const run = fc.check(
      fc.property(almostHead, (text) => {
        const naive = readNaively(text, first)
        const scanned = scan(text, first)
        if (typeof scanned === 'number') return naive === undefined
        whole++
        return JSON.stringify(scanned) === JSON.stringify(naive)
      }),
      limits,
    )
    t.equal(fc.defaultReportMessage(run), undefined)
    t.ok(whole > run.numRuns / 20, 'some of them were whole')
  })

  void t.test(`the beginning of ${what} never says anything else than the whole`, async (t) => {
    const run = fc.check(
      fc.property(almostHead, fc.nat(), (text, where) => {
        const scanned = scan(text, first)
        const isWhole = typeof scanned === 'object'
        const cut = where % ((isWhole ? scanned.length : text.length) + 1)
        const early = scan(text.slice(0, cut), first)
        if (isWhole)
          return cut === scanned.length ? typeof early === 'object' : early === incomplete
        return early === incomplete || (early === malformed && scanned === malformed)
      }),
      limits,
    )
    t.equal(fc.defaultReportMessage(run), undefined)
  })

  void t.test(`no bytes make the scan of ${what} throw or leave its bounds`, async (t) => {
    const run = fc.check(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const scanned = scan(Buffer.from(bytes).toString('latin1'), first)
        return typeof scanned === 'number' ? scanned <= 0 : scanned.length <= bytes.length
      }),
      limits,
    )
    t.equal(fc.defaultReportMessage(run), undefined)
  })
}

interface Chunks {
  readonly content: string
  readonly step: number
  readonly end: number
}

/** In pieces that end at these places. */
function readChunks(text: string, cuts: readonly number[]): Chunks {
  const bytes = Buffer.from(text, 'latin1')
  const reader = new ChunkedReader()
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]
  let content = ''
  let at = 0
  for (const end of ends.toSorted((a, b) => a - b)) {
    while (at < end) {
      at = reader.read(bytes, at, end)
      if (reader.step === ChunkedStep.data) {
        content += bytes.toString('latin1', reader.dataStart, reader.dataEnd)
      } else if (reader.step !== ChunkedStep.more) {
        return { content, step: reader.step, end: at }
      }
    }
  }
  return { content, step: ChunkedStep.more, end: at }
}

const extension = fc.constantFrom('', ';a', ';a=b', ';a="b;\\" c"', ';a=', '; a')
const chunk = fc
  .tuple(fc.string({ unit: char, minLength: 1, maxLength: 20 }), extension, fc.nat(20))
  .map(([content, more, odd]) => {
    const size = odd === 20 ? content.length + 1 : content.length
    return `${size.toString(16)}${more}\r\n${content}\r\n`
  })
const chunks = fc
  .tuple(fc.array(chunk, { maxLength: 4 }), fc.constantFrom('', 'A: b\r\n', 'A : b\r\n'))
  .map(([parts, trailer]) => `${parts.join('')}0\r\n${trailer}\r\nnext`)

void t.test('chunks mean the same in any cut', async (t) => {
  const run = fc.check(
    fc.property(
      fc.oneof(chunks, fc.string({ unit: char })),
      fc.array(fc.nat(), { maxLength: 10 }),
      (text, cuts) =>
        JSON.stringify(readChunks(text, cuts)) === JSON.stringify(readChunks(text, [])),
    ),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test('chunks as we write them are read as what was written', async (t) => {
  const run = fc.check(
    fc.property(fc.array(fc.string({ unit: char, minLength: 1, maxLength: 300 })), (parts) => {
      const text = `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
      const { content, step, end } = readChunks(text, [])
      return content === parts.join('') && step === ChunkedStep.end && end === text.length
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})
