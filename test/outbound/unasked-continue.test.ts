import { PassThrough } from 'node:stream'
import t from 'tap'
import { ContinueFilter, readThrough } from '../../src/outbound/unasked-continue.ts'

const go = 'HTTP/1.1 100 Continue\r\n\r\n'
const hints = 'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n'

interface Case {
  readonly note: string
  readonly given: string
  readonly want: string
  readonly continues: number
  /** Of what is given, held back at the end. */
  readonly isThrough: boolean
}

const cases: readonly Case[] = [
  { note: 'nothing to take out', given: ok + go, want: ok + go, continues: 0, isThrough: true },
  { note: 'one', given: go + ok + go, want: ok + go, continues: 1, isThrough: true },
  { note: 'several', given: go + go + ok, want: ok, continues: 2, isThrough: true },
  {
    note: 'with fields',
    given: `HTTP/1.1 100 Go\r\nx: 1\r\n\r\n${ok}`,
    want: ok,
    continues: 1,
    isThrough: true,
  },
  {
    note: 'without a reason, of HTTP/1.0',
    given: `HTTP/1.0 100\r\n\r\n${ok}`,
    want: ok,
    continues: 1,
    isThrough: true,
  },
  {
    note: 'among hints',
    given: hints + go + hints + ok,
    want: hints + hints + ok,
    continues: 1,
    isThrough: true,
  },
  {
    note: 'a switch is final',
    given: `HTTP/1.1 101 Switch\r\n\r\n${go}`,
    want: `HTTP/1.1 101 Switch\r\n\r\n${go}`,
    continues: 0,
    isThrough: true,
  },
  {
    note: 'no HTTP',
    given: `SSH-2.0\r\n\r\n${go}`,
    want: `SSH-2.0\r\n\r\n${go}`,
    continues: 0,
    isThrough: true,
  },
  {
    note: 'a status of four digits',
    given: `HTTP/1.1 1000 X\r\n\r\n${go}`,
    want: `HTTP/1.1 1000 X\r\n\r\n${go}`,
    continues: 0,
    isThrough: true,
  },
  { note: 'a beginning', given: 'HTTP/1.1 1', want: '', continues: 0, isThrough: false },
  {
    note: 'a head without end',
    given: 'HTTP/1.1 100 Go\r\nx: 1\r\n',
    want: '',
    continues: 0,
    isThrough: false,
  },
  {
    note: 'a head that is longer than any',
    given: `HTTP/1.1 100 Go\r\nx: ${'1'.repeat(300)}`,
    want: `HTTP/1.1 100 Go\r\nx: ${'1'.repeat(300)}`,
    continues: 0,
    isThrough: true,
  },
]

void t.test(
  'ContinueFilter takes out 100 and nothing else, however the bytes are cut',
  async (t) => {
    for (const { note, given, want, continues, isThrough } of cases) {
      for (let size = 1; size <= given.length; size++) {
        let taken = 0
        const filter = new ContinueFilter({ headerBytes: 200, onContinue: () => taken++ })
        let got = ''
        for (let at = 0; at < given.length; at += size) {
          got += filter.take(Buffer.from(given.slice(at, at + size))).toString()
        }
        const actual = { got, taken, isThrough: filter.isThrough }
        const expected = { got: want, taken: continues, isThrough }
        if (JSON.stringify(actual) !== JSON.stringify(expected))
          t.same(actual, expected, `${note}, by ${size}`)
      }
      t.pass(note)
    }
  },
)

void t.test('readThrough gives the stream back', async (t) => {
  const stream = new PassThrough()
  const giveBack = readThrough(
    stream,
    new ContinueFilter({ headerBytes: 200, onContinue: () => undefined }),
  )
  stream.write(go)
  t.equal(stream.read(), null, 'nothing is left of it')
  t.ok(Object.hasOwn(stream, 'read'))
  stream.write(go + ok)
  t.equal(String(stream.read()), ok)
  t.notOk(Object.hasOwn(stream, 'read'), 'once it is through')
  giveBack()
  stream.write(go)
  t.equal(String(stream.read()), go)
})
