import { METHODS } from 'node:http'
import t from 'tap'
import { isIdempotent, methodOf, methods } from '../../src/wire/methods.ts'

void t.test('methods are those that the parser of Node.js knows', async (t) => {
  t.strictSame([...methods].toSorted(), METHODS.toSorted())
})

void t.test('methodOf reads every method, and nothing that only resembles one', async (t) => {
  for (const method of methods) {
    const bytes = Buffer.from(` ${method} `)
    t.equal(methodOf(bytes, 1, bytes.length - 1), method)
  }
  for (const other of ['', 'G', 'get', 'GEt', 'GETS', 'ZET', 'X'.repeat(40)]) {
    t.equal(methodOf(Buffer.from(other), 0, other.length), undefined, other)
  }
})

void t.test('isIdempotent holds for what RFC 9110 9.2.2 names', async (t) => {
  t.strictSame(methods.filter(isIdempotent), ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT', 'TRACE'])
})
