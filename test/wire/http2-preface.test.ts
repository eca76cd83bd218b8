import t from 'tap'
import { beginsHttp2, http11Required } from '../../src/wire/http2-preface.ts'

void t.test('http11Required is SETTINGS and GOAWAY, with nothing behind', (t) => {
  const frames: { type: number; payload: string }[] = []
  let rest = http11Required
  while (rest.length > 0) {
    const length = rest.readUIntBE(0, 3)
    frames.push({ type: rest[3] ?? 0, payload: rest.subarray(9, 9 + length).toString('hex') })
    rest = rest.subarray(9 + length)
  }
  t.strictSame(frames, [
    { type: 4, payload: '' },
    { type: 7, payload: '000000000000000d' },
  ])
  t.end()
})

void t.test('beginsHttp2 knows the first line of the preface wherever it stands', (t) => {
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
  const cases = [
    { note: 'alone', text: preface, start: 0, want: true },
    { note: 'behind something', text: `GET${preface}`, start: 3, want: true },
    { note: 'cut', text: preface.slice(0, 15), start: 0, want: false },
    { note: 'another version', text: 'PRI * HTTP/1.1\r\n', start: 0, want: false },
    { note: 'a request', text: 'GET / HTTP/1.1\r\n', start: 0, want: false },
  ]
  for (const { note, text, start, want } of cases) {
    t.equal(beginsHttp2(Buffer.from(text), start), want, note)
  }
  t.end()
})
