import t from 'tap'
import { hashCanonical } from '../../src/policy/canonical-hash.ts'

const alike = [
  { note: 'keys in another order', a: { x: 1, y: 2 }, b: { y: 2, x: 1 } },
  { note: 'an undefined property and an absent one', a: { x: 1, y: undefined }, b: { x: 1 } },
  {
    note: 'a map in another order',
    a: new Map([
      ['x', 1],
      ['y', 2],
    ]),
    b: new Map([
      ['y', 2],
      ['x', 1],
    ]),
  },
  { note: 'a set in another order', a: new Set([443, 80]), b: new Set([80, 443]) },
  { note: 'bytes in another array', a: Uint8Array.of(1, 2), b: Buffer.from([0, 1, 2]).subarray(1) },
]
for (const { note, a, b } of alike) {
  void t.test(`hashCanonical: what means the same has one hash: ${note}`, (t) => {
    t.match(hashCanonical(a), /^[0-9a-f]{64}$/)
    t.equal(hashCanonical({ deep: [a] }), hashCanonical({ deep: [b] }))
    t.end()
  })
}

const different: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  1,
  -1,
  1n,
  '',
  '1',
  'a',
  'ab',
  [],
  ['a'],
  ['ab'],
  ['a', 'b'],
  [['a'], 'b'],
  [['a', 'b']],
  {},
  { a: 'b' },
  { ab: '' },
  { a: { b: '' } },
  { a: '', b: '' },
  new Map(),
  new Map([['a', 'b']]),
  new Map([[1, 'b']]),
  new Map([['1', 'b']]),
  new Set(),
  new Set(['a']),
  new Map([['a', true]]),
  { a: true },
  Uint8Array.of(),
  Uint8Array.of(1),
  Uint8Array.of(0, 1),
  [1],
  'x'.repeat(200_000),
  'x'.repeat(200_001),
]
void t.test('hashCanonical: no two different values share a hash', (t) => {
  const hashes = different.map(hashCanonical)
  t.equal(new Set(hashes).size, different.length)
  t.end()
})

const notPlain: readonly { note: string; value: unknown }[] = [
  { note: 'a function', value: { f: () => 1 } },
  { note: 'a symbol', value: [Symbol('s')] },
  { note: 'a map with objects for keys', value: new Map([[{}, 1]]) },
]
for (const { note, value } of notPlain) {
  void t.test(`hashCanonical refuses what is no plain data: ${note}`, (t) => {
    t.throws(() => hashCanonical(value), TypeError)
    t.end()
  })
}
