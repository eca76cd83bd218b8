import t from 'tap'
import { acceptKey, readFrame, writeFrame } from '../../src/demo/web-socket.ts'

void t.test('acceptKey: the example of RFC 6455 1.3', async (t) => {
  t.equal(acceptKey('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

void t.test('readFrame: reads back what writeFrame wrote, masked or not', async (t) => {
  for (const masked of [true, false]) {
    for (const text of ['', 'hello', 'x'.repeat(125)]) {
      const frame = writeFrame(text, masked)
      t.strictSame(readFrame(frame), { text, length: frame.length })
      t.equal(readFrame(frame.subarray(0, -1)), undefined, 'not before it is complete')
    }
  }
})

void t.test('writeFrame: masks what a client sends', async (t) => {
  t.notOk(writeFrame('hello', true).includes('hello'))
})

void t.test('writeFrame: refuses what does not fit', async (t) => {
  t.throws(() => writeFrame('x'.repeat(126)), RangeError)
})
