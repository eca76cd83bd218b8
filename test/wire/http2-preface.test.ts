import t from 'tap'
import { http11Required } from '../../src/wire/http2-preface.ts'

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
