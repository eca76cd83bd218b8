import fc from 'fast-check'
import t from 'tap'
import { beginArena, createArenaBuffer, createPrivateArena } from '../../src/policy/arena.ts'
import { openNameSet } from '../../src/policy/name-set.ts'
import { parseNamePattern } from '../../src/wire/hostname.ts'
import { hostname, pattern } from '../support/policy-builder.ts'
import { inSharedArena, type NameEntry, nameSetOf } from './compiled-sets.ts'

function setOf(...patterns: readonly string[]) {
  return nameSetOf(patterns.map((text, rule) => ({ pattern: pattern(text), rule })))
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
    t.equal(nameSetOf(entries).match(hostname('x.a.test')), 2)
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

const hashes = [
  { note: 'as they are', options: {}, numRuns: 400 },
  { note: 'all hashes the same', options: { prime: 0 }, numRuns: 100 },
  { note: 'hashes of a few bits', options: { prime: 1 }, numRuns: 100 },
] as const

for (const { note, options, numRuns } of hashes) {
  void t.test(`a name set agrees with a scan over the patterns: ${note}`, (t) => {
    const seed = Date.now()
    t.comment(`seed ${seed}`)
    const label = fc.constantFrom('a', 'b', 'aa', 'xn--a', '_a', 'b'.repeat(63))
    const name = fc.array(label, { minLength: 2, maxLength: 5 }).map((labels) => labels.join('.'))
    const entry = fc
      .record({ name, isWildcard: fc.boolean(), rule: fc.nat(50) })
      .map(({ name, isWildcard, rule }) => ({ pattern: isWildcard ? `*.${name}` : name, rule }))
      .filter(({ pattern: text }) => parseNamePattern(text) !== undefined)
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 60 }), fc.array(name), (entries, names) => {
        const set = inSharedArena((arena) => nameSetOf(entries, { arena, ...options }))
        for (const text of names) {
          const covering = entries.filter(({ pattern }) =>
            pattern.startsWith('*') ? text.endsWith(pattern.slice(1)) : text === pattern,
          )
          const expected = Math.min(...covering.map(({ rule }) => rule))
          const found = set.match(text)
          if (found !== (expected === Infinity ? -1 : expected)) {
            throw new Error(`${text}: ${found}`)
          }
        }
      }),
      { seed, numRuns },
    )
    t.pass('agrees')
    t.end()
  })
}

void t.test('a name set of the longest names there are', (t) => {
  const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`
  t.equal(hostname(longest).length, 253)
  const set = setOf(longest, `*.${longest.slice(2)}`)
  t.equal(set.match(longest), 0)
  t.equal(set.match(longest.replace('d', 'e')), -1)
  t.equal(set.match(`x.${longest.slice(2)}`), 1)
  t.end()
})

void t.test(
  'a look-up in a table without a free slot ends, and finds nothing that is not there',
  (t) => {
    const text = Buffer.from('.b.test')
    // Two slots, both in use, and a filter that lets everything pass.
    const slot = [12345, 0, 0, text.length]
    const table = {
      slots: Int32Array.from([...slot, ...slot]),
      filter: Int32Array.of(-1),
      prime: 0x01000193,
    }
    const set = openNameSet(table, { text, epoch: createPrivateArena().epoch })
    t.equal(set.match('a.b.test'), -1)
    t.end()
  },
)

void t.test(
  'a name set whose arena is begun anew throws, for what was in it and for what was not',
  (t) => {
    const buffer = createArenaBuffer()
    const arena = beginArena(buffer, 1)
    const set = nameSetOf([{ pattern: 'a.test', rule: 0 }], { arena })
    t.throws(() => set.match('a.test'), /gone/, 'it is not finished')
    arena.finish()
    t.equal(set.match('a.test'), 0)
    beginArena(buffer, 3).finish()
    t.throws(() => set.match('a.test'), /gone/)
    t.throws(() => set.match('b.test'), /gone/)
    t.end()
  },
)

void t.test('a name set throws if its arena is begun anew under a look-up', (t) => {
  const buffer = createArenaBuffer()
  const arena = beginArena(buffer, 1)
  const set = nameSetOf([{ pattern: 'a.test', rule: 0 }], { arena })
  arena.finish()
  // A name whose last character comes when the writer does.
  const name = {
    length: 6,
    charCodeAt(index: number): number {
      if (index === 0) beginArena(buffer, 3).finish()
      return 'a.test'.charCodeAt(index)
    },
  }
  t.throws(() => set.match(name as string), /gone/)
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
