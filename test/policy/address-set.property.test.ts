import fc from 'fast-check'
import t from 'tap'
import type { AddressEntry } from '../../src/policy/prefix-intervals.ts'
import {
  type IpAddress,
  isPrefix,
  parseAddress,
  parsePrefix,
  prefixCovers,
} from '../../src/wire/address.ts'
import { addressSetOf, inSharedArena } from './compiled-sets.ts'

/** A prefix of few distinct bytes, so that prefixes nest, touch and share long stretches. */
function prefixes(width: 4 | 16): fc.Arbitrary<AddressEntry> {
  return fc
    .record({ bytes: addressBytes(width), length: fc.nat(width * 8), rule: fc.nat(1000) })
    .map(({ bytes, length, rule }) => {
      const network = bytes.map((byte, index) => {
        const kept = Math.max(0, Math.min(8, length - index * 8))
        return byte & (0xff << (8 - kept)) & 0xff
      })
      return { prefix: parsePrefix(`${textOf(network)}/${length}`), rule }
    })
    .filter((entry): entry is AddressEntry => isPrefix(entry.prefix))
}

function addressBytes(width: 4 | 16): fc.Arbitrary<number[]> {
  return fc.array(fc.constantFrom(0, 0, 0, 1, 2, 127, 128, 254, 255), {
    minLength: width,
    maxLength: width,
  })
}

function textOf(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let index = 0; index < 16; index += 2) {
    groups.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16))
  }
  return groups.join(':')
}

function addressOf(bytes: readonly number[]): IpAddress {
  const address = parseAddress(textOf(bytes))
  if (address === undefined) throw new Error('bytes make an address')
  return address
}

/** What the set is for, the slow way. */
function lowestCovering(entries: readonly AddressEntry[], address: IpAddress): number {
  const rules = entries
    .filter(({ prefix }) => prefixCovers(prefix, address))
    .map(({ rule }) => rule)
  return rules.length === 0 ? -1 : Math.min(...rules)
}

const cases = [
  { note: 'few prefixes, in one bucket', maxLength: 12, numRuns: 1500 },
  { note: 'many prefixes, several levels of the trie', maxLength: 400, numRuns: 150 },
] as const

for (const { note, maxLength, numRuns } of cases) {
  void t.test(`an address set reports the lowest covering rule: ${note}`, (t) => {
    const seed = Date.now()
    t.comment(`seed ${seed}`)
    const entries = fc.array(fc.oneof(prefixes(4), prefixes(16)), { maxLength, size: 'max' })
    const addresses = fc.array(fc.oneof(addressBytes(4), addressBytes(16)), {
      minLength: 20,
      maxLength: 20,
    })
    fc.assert(
      fc.property(entries, addresses, (list, queries) => {
        const set = inSharedArena((arena) => addressSetOf(list, arena))
        for (const address of [...queries.map(addressOf), ...list.flatMap(edges)]) {
          const expected = lowestCovering(list, address)
          const found = set.match(address)
          if (found !== expected) throw new Error(`${address.text}: ${found}, not ${expected}`)
        }
      }),
      { seed, numRuns },
    )
    t.pass('agrees')
    t.end()
  })
}

/** The first and the last address of a prefix, and their neighbours outside. */
function edges({ prefix }: AddressEntry): IpAddress[] {
  const first = BigInt(`0x${Buffer.from(prefix.bytes).toString('hex')}`)
  const bits = BigInt(prefix.bytes.length * 8)
  const last = first + (1n << (bits - BigInt(prefix.length))) - 1n
  return [first - 1n, first, last, last + 1n]
    .filter((value) => value >= 0n && value < 1n << bits)
    .map((value) => {
      const hex = value.toString(16).padStart(prefix.bytes.length * 2, '0')
      return addressOf([...Buffer.from(hex, 'hex')])
    })
}
