import { networkInterfaces } from 'node:os'
import t from 'tap'
import { createOwnAddresses } from '../../src/compose/own-addresses.ts'
import { address } from '../support/settings-parts.ts'

void t.test('createOwnAddresses: reads anew once a second, and only when asked', (t) => {
  let clock = 0
  let reads = 0
  const own = createOwnAddresses(
    () => [address(`20.0.0.${++reads}`)],
    () => clock,
  )
  t.equal(reads, 0, 'nobody asked')
  t.equal(own()[0]?.text, '20.0.0.1')
  clock = 999
  t.equal(own()[0]?.text, '20.0.0.1', 'kept')
  clock = 1000
  t.equal(own()[0]?.text, '20.0.0.2', 'an address that came meanwhile counts')
  t.end()
})

void t.test('createOwnAddresses: has every address of this machine, without zones', (t) => {
  const have = createOwnAddresses()().map(({ text }) => text)
  t.ok(have.includes('127.0.0.1'))
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  t.equal(have.length, all.length)
  t.end()
})
