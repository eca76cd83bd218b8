import { isIP } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { isPrefix, parseAddress, parsePrefix, prefixCovers } from '../../src/wire/address.ts'

const limits = { numRuns: 1000, interruptAfterTimeLimit: 2000 }

/** Naive: groups of any spelling that `net.isIP` takes. */
const ipv6Text = fc.oneof(
  fc.ipV6(),
  fc
    .tuple(
      fc.array(fc.constantFrom('0', 'ffff', '1', 'a0', '0000', 'DB8'), {
        minLength: 8,
        maxLength: 8,
      }),
    )
    .map(([groups]) => groups.join(':')),
  fc
    .tuple(fc.ipV4(), fc.constantFrom('::', '::ffff:', '::1:', '64:ff9b::', '1:2:3:4:5:6:'))
    .map(([ipv4, head]) => head + ipv4),
)

void t.test('parseAddress reads what net.isIP takes, and prints what it reads again', async (t) => {
  const run = fc.check(
    fc.property(fc.oneof(fc.ipV4(), ipv6Text), (text) => {
      fc.pre(isIP(text) !== 0)
      const address = parseAddress(text)
      if (address === undefined) return false
      const again = parseAddress(address.text)
      return (
        again?.text === address.text &&
        Buffer.compare(again.bytes, address.bytes) === 0 &&
        (address.bytes.length === 4) === (isIP(address.text) === 4)
      )
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test('parseAddress agrees with a naive reading of the bytes', async (t) => {
  const run = fc.check(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(15), (random, zeros) => {
      const bytes = random.map((byte, index) => (index >= zeros && index < zeros + 6 ? 0 : byte))
      const hex = Buffer.from(bytes).toString('hex')
      const text = hex.replace(/(.{4})(?=.)/g, '$1:')
      const mapped = hex.startsWith('00000000000000000000ffff')
      const want = mapped ? bytes.slice(12) : bytes
      return Buffer.compare(parseAddress(text)?.bytes ?? new Uint8Array(), want) === 0
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test('no text makes the parsers throw', async (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdefx.:/%[]'.split('')) }),
  )
  const run = fc.check(
    fc.property(text, (text) => {
      parseAddress(text)
      parsePrefix(text)
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test('prefixCovers agrees with comparing bits as text', async (t) => {
  const bits = (bytes: Uint8Array) =>
    [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const run = fc.check(
    fc.property(fc.ipV4(), fc.ipV4(), fc.nat(32), fc.boolean(), (one, other, length, same) => {
      const address = parseAddress(same ? one : other)
      const network = parsePrefix(`${one}/${length}`)
      const prefix = isPrefix(network)
        ? network
        : parsePrefix(network.kind === 'host-bits' ? network.network : '')
      if (address === undefined || !isPrefix(prefix)) return false
      const want = bits(address.bytes).slice(0, length) === bits(prefix.bytes).slice(0, length)
      return prefixCovers(prefix, address) === want && (!same || want)
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})
