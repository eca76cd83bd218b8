import fc from 'fast-check'
import t from 'tap'
import { compileNameSet, type NameEntry } from '../../src/policy/name-set.ts'
import { hostname, pattern } from '../support/policy-builder.ts'

function setOf(...patterns: readonly string[]) {
  return compileNameSet(patterns.map((text, rule) => ({ pattern: pattern(text), rule })))
}

const cases = [
  { note: 'an empty set matches nothing', patterns: [], name: 'example.com', rule: -1 },
  { note: 'an exact name', patterns: ['example.com'], name: 'example.com', rule: 0 },
  { note: 'a name below an exact one', patterns: ['example.com'], name: 'a.example.com', rule: -1 },
  { note: 'a wildcard and its apex', patterns: ['*.example.com'], name: 'example.com', rule: -1 },
  {
    note: 'a wildcard, one label below',
    patterns: ['*.example.com'],
    name: 'a.example.com',
    rule: 0,
  },
  {
    note: 'a wildcard, many labels below',
    patterns: ['*.example.com'],
    name: 'a.b.c.d.example.com',
    rule: 0,
  },
  {
    note: 'a wildcard ends at a dot',
    patterns: ['*.example.com'],
    name: 'notexample.com',
    rule: -1,
  },
  {
    note: 'the first of exact and wildcard: exact',
    patterns: ['a.example.com', '*.example.com'],
    name: 'a.example.com',
    rule: 0,
  },
  {
    note: 'the first of exact and wildcard: wildcard',
    patterns: ['*.example.com', 'a.example.com'],
    name: 'a.example.com',
    rule: 0,
  },
  {
    note: 'the first of nested wildcards',
    patterns: ['*.x.test', '*.b.example.com', '*.example.com'],
    name: 'a.b.example.com',
    rule: 1,
  },
  {
    note: 'a pattern twice counts as its first',
    patterns: ['x.test', 'a.test', 'a.test'],
    name: 'a.test',
    rule: 1,
  },
  { note: 'a name of one label', patterns: ['localhost'], name: 'localhost', rule: 0 },
  {
    note: 'a tail of an exact name is not the name',
    patterns: ['a.example.com'],
    name: 'example.com',
    rule: -1,
  },
] as const

for (const { note, patterns, name, rule } of cases) {
  void t.test(`a name set reports the first rule that covers the name: ${note}`, (t) => {
    t.equal(setOf(...patterns).match(hostname(name)), rule)
    t.end()
  })
}

void t.test(
  'a name set keeps the lowest of the rules that share a pattern, whatever their order',
  (t) => {
    const entries = [5, 2, 9].map((rule): NameEntry => ({ pattern: pattern('*.a.test'), rule }))
    t.equal(compileNameSet(entries).match(hostname('x.a.test')), 2)
    t.end()
  },
)

void t.test('a name set tells names apart whose hashes are the same', (t) => {
  // Of one length, with one FNV-1a hash when read from their end.
  const [one, other] = findCollision()
  t.equal(setOf(one).match(hostname(other)), -1)
  const both = setOf(one, other)
  t.equal(both.match(hostname(one)), 0)
  t.equal(both.match(hostname(other)), 1)
  t.end()
})

void t.test('a name set agrees with a scan over the patterns', (t) => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const label = fc.constantFrom('a', 'b', 'aa', 'xn--a', '_a')
  const name = fc.array(label, { minLength: 2, maxLength: 5 }).map((labels) => labels.join('.'))
  const entry = fc
    .record({ name, isWildcard: fc.boolean(), rule: fc.nat(50) })
    .map(({ name, isWildcard, rule }) => ({
      pattern: pattern(isWildcard ? `*.${name}` : name),
      rule,
    }))
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), fc.array(name), (entries, names) => {
      const set = compileNameSet(entries)
      for (const text of names) {
        const covering = entries.filter(({ pattern }) =>
          pattern.startsWith('*') ? text.endsWith(pattern.slice(1)) : text === pattern,
        )
        const expected = Math.min(...covering.map(({ rule }) => rule))
        const found = set.match(hostname(text))
        if (found !== (expected === Infinity ? -1 : expected)) throw new Error(`${text}: ${found}`)
      }
    }),
    { seed, numRuns: 500 },
  )
  t.pass('agrees')
  t.end()
})

/** Searches names until two have the same hash; a few hundred thousand are enough for 32 bits. */
function findCollision(): readonly [string, string] {
  const seen = new Map<number, string>()
  for (let number = 0; ; number++) {
    const name = `n${(number * 2_654_435_761).toString(36)}`
    let hash = 0x811c9dc5
    for (let index = name.length - 1; index >= 0; index--) {
      hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
    }
    const other = seen.get(hash)
    if (other !== undefined && other.length === name.length) return [other, name]
    seen.set(hash, name)
  }
}
