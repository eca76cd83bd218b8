import t from 'tap'
import { collectFields } from '../../src/inbound/http2-fields.ts'

void t.test('collectFields gives one key for each field, in lower case', (t) => {
  const fields = collectFields([
    'A',
    '1',
    'b',
    '2',
    'a',
    '3',
    'A',
    '4',
    '__proto__',
    'x',
    'toString',
    'y',
  ])
  t.strictSame(Object.entries(fields), [
    ['a', ['1', '3', '4']],
    ['b', '2'],
    ['__proto__', 'x'],
    ['tostring', 'y'],
  ])
  t.equal(Object.getPrototypeOf(fields), Object.prototype)
  t.end()
})
