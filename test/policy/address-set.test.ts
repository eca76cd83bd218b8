import t from 'tap'
import { beginArena, createArenaBuffer, createPrivateArena } from '../../src/policy/arena.ts'
import { IntervalTrie } from '../../src/policy/interval-trie.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { prefix } from '../support/policy-builder.ts'
import { addressSetOf } from './compiled-sets.ts'

function match(prefixes: readonly string[], text: string): number {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`${text} is an address`)
  return addressSetOf(prefixes.map((one, rule) => ({ prefix: prefix(one), rule }))).match(address)
}

const cases = [
  { note: 'an empty set', prefixes: [], address: '10.0.0.1', rule: -1 },
  { note: 'everything', prefixes: ['0.0.0.0/0'], address: '255.255.255.255', rule: 0 },
  { note: 'everything, at its start', prefixes: ['0.0.0.0/0'], address: '0.0.0.0', rule: 0 },
  { note: 'the upper half', prefixes: ['128.0.0.0/1'], address: '127.255.255.255', rule: -1 },
  {
    note: 'the last address',
    prefixes: ['255.255.255.255/32'],
    address: '255.255.255.255',
    rule: 0,
  },
  {
    note: 'a later rule inside an earlier one',
    prefixes: ['10.0.0.0/8', '10.1.0.0/16'],
    address: '10.1.0.1',
    rule: 0,
  },
  {
    note: 'an earlier rule inside a later one',
    prefixes: ['10.1.0.0/16', '10.0.0.0/8'],
    address: '10.1.0.1',
    rule: 0,
  },
  {
    note: 'after the inner one ends, the outer one counts again',
    prefixes: ['10.1.0.0/16', '10.0.0.0/8'],
    address: '10.2.0.0',
    rule: 1,
  },
  {
    note: 'inner and outer end together',
    prefixes: ['10.255.0.0/16', '10.0.0.0/8'],
    address: '11.0.0.0',
    rule: -1,
  },
  {
    note: 'one prefix twice',
    prefixes: ['10.0.0.0/8', '10.0.0.0/8'],
    address: '10.9.9.9',
    rule: 0,
  },
  { note: 'neighbours', prefixes: ['10.0.0.0/9', '10.128.0.0/9'], address: '10.128.0.0', rule: 1 },
  {
    note: 'IPv6 with a carry over several bytes',
    prefixes: ['2001:db8:ffff:ffff::/64'],
    address: '2001:db9::',
    rule: -1,
  },
  { note: 'the same bytes in the other family', prefixes: ['::/0'], address: '10.0.0.1', rule: -1 },
  { note: 'mapped', prefixes: ['10.0.0.0/8'], address: '::ffff:10.0.0.1', rule: 0 },
] as const

for (const { note, prefixes, address, rule } of cases) {
  void t.test(`an address set reports the lowest rule that covers the address: ${note}`, (t) => {
    t.equal(match(prefixes, address), rule)
    t.end()
  })
}

void t.test('an address set finds its way past bytes that all prefixes share', (t) => {
  // More than one bucket of prefixes below one long common stretch: a node that skips bytes.
  const prefixes = Array.from(
    { length: 200 },
    (_, index) => `2001:db8:0:7:1:2:3:${(index * 2).toString(16)}/128`,
  )
  t.equal(match(prefixes, '2001:db8:0:7:1:2:3:4'), 2)
  t.equal(match(prefixes, '2001:db8:0:7:1:2:3:5'), -1)
  t.equal(match(prefixes, '2001:db8:0:6:ffff:ffff:ffff:4'), -1, 'below the stretch')
  t.equal(match(prefixes, '2001:db8:0:8::4'), -1, 'above the stretch')
  t.equal(
    match([...prefixes, '2001:db8::/32'], '2001:db8:0:6::4'),
    200,
    'below, within a wider one',
  )
  t.equal(
    match([...prefixes, '2001:db8::/32'], '2001:db8:0:8::4'),
    200,
    'above, within a wider one',
  )
  t.end()
})

void t.test('an address set whose arena is begun anew throws', (t) => {
  const buffer = createArenaBuffer()
  const arena = beginArena(buffer, 1)
  const set = addressSetOf([{ prefix: prefix('10.0.0.0/8'), rule: 0 }], arena)
  const inside = parseAddress('10.0.0.1')
  const outside = parseAddress('2001:db8::1')
  if (inside === undefined || outside === undefined) throw new Error('they are addresses')
  t.throws(() => set.match(inside), /gone/, 'it is not finished')
  arena.finish()
  t.equal(set.match(inside), 0)
  beginArena(buffer, 3).finish()
  t.throws(() => set.match(inside), /gone/)
  t.throws(() => set.match(outside), /gone/)
  t.end()
})

void t.test('an address set throws if its arena is begun anew under a look-up', (t) => {
  const buffer = createArenaBuffer()
  const arena = beginArena(buffer, 1)
  const set = addressSetOf([{ prefix: prefix('10.0.0.0/8'), rule: 0 }], arena)
  arena.finish()
  // An address whose last byte comes when the writer does.
  const bytes = Object.defineProperty([10, 0, 0, 1], 0, {
    get: () => {
      beginArena(buffer, 3).finish()
      return 10
    },
  })
  const address = {
    kind: 'address',
    text: '10.0.0.1',
    bytes: bytes as unknown as Uint8Array,
  } as const
  t.throws(() => set.match(address), /gone/)
  t.end()
})

void t.test('a look-up in a trie that leads in a circle ends', (t) => {
  // No compiler makes it: it is what a reader may see while an arena is filled anew.
  const slots = new Int32Array(257).fill(~0)
  const trie = new IntervalTrie(
    {
      width: 4,
      boundaries: new Uint8Array(4),
      rules: Int32Array.of(-1, 0),
      root: 0,
      slots,
      firsts: Int32Array.of(0),
      depths: Uint8Array.of(0),
    },
    createPrivateArena().epoch,
  )
  t.equal(trie.find(Uint8Array.of(10, 0, 0, 1)), -1)
  t.end()
})
