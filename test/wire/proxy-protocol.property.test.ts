import fc from 'fast-check'
import t from 'tap'
import { parseAddress } from '../../src/wire/address.ts'
import { readProxyHeader } from '../../src/wire/proxy-protocol.ts'
import { linkIdTlv, version2Header, word } from '../support/proxy-header.ts'

const limits = { numRuns: 500, interruptAfterTimeLimit: 3000 }

const port = fc.nat(65_535)
const address = fc.oneof(
  fc.tuple(fc.ipV4(), fc.ipV4()).map((pair) => ({ family: 4, pair })),
  fc.tuple(fc.ipV6(), fc.ipV6()).map((pair) => ({ family: 6, pair })),
)
const otherTlv = fc.tuple(
  fc.nat(255).filter((type) => type !== 0xee),
  fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value)),
)

interface Said {
  readonly bytes: Buffer
  readonly want: {
    readonly address: string
    readonly port: number
    readonly linkId: number | undefined
  }
}

const version1 = fc.tuple(address, port, port).map(([{ family, pair }, from, to]): Said => ({
  bytes: Buffer.from(`PROXY TCP${family} ${pair.join(' ')} ${from} ${to}\r\n`),
  want: { address: parseAddress(pair[0])?.text ?? '', port: from, linkId: undefined },
}))

const version2 = fc
  .tuple(
    fc.constantFrom(4, 16),
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc.tuple(port, port),
    fc.array(otherTlv, { maxLength: 3 }),
    fc.option(fc.nat(0xffffffff), { nil: undefined }),
  )
  .map(([width, random, [from, to], tlvs, linkId]): Said => {
    const source = random.subarray(0, width)
    const text =
      width === 4
        ? source.join('.')
        : Buffer.from(source)
            .toString('hex')
            .replace(/(.{4})(?=.)/g, '$1:')
    return {
      bytes: version2Header({
        family: width === 4 ? 0x11 : 0x21,
        addresses: Buffer.concat([random.subarray(0, width * 2), word(from), word(to)]),
        tlvs: linkId === undefined ? tlvs : [...tlvs, linkIdTlv(linkId)],
      }),
      want: { address: parseAddress(text)?.text ?? '', port: from, linkId },
    }
  })

const header = fc.oneof(version1, version2)

void t.test('readProxyHeader reads what was written, whatever follows', async (t) => {
  const run = fc.check(
    fc.property(header, fc.uint8Array({ maxLength: 20 }), ({ bytes, want }, rest) => {
      const found = readProxyHeader(Buffer.concat([bytes, rest]))
      if (typeof found === 'string' || found.header.kind !== 'forwarded') return false
      const { address, port, linkId } = found.header
      return (
        found.length === bytes.length &&
        address?.text === want.address &&
        port === want.port &&
        linkId === want.linkId
      )
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test('readProxyHeader calls no beginning of a header malformed or whole', async (t) => {
  const run = fc.check(
    fc.property(header, ({ bytes }) => {
      for (let length = 0; length < bytes.length; length++) {
        if (readProxyHeader(bytes.subarray(0, length)) !== 'incomplete') return false
      }
      return true
    }),
    { ...limits, numRuns: 200 },
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test(
  'readProxyHeader never throws, never takes back what it said, and waits within its bounds',
  async (t) => {
    const changed = fc
      .tuple(header, fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 4 }))
      .map(([{ bytes }, changes]) => {
        const copy = Buffer.from(bytes)
        for (const [at, byte] of changes) if (at < copy.length) copy[at] = byte
        return copy
      })
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    const run = fc.check(
      fc.property(fc.oneof(changed, noise), noise, (bytes, rest) => {
        const found = readProxyHeader(bytes)
        const longer = readProxyHeader(Buffer.concat([bytes, rest]))
        if (found === 'incomplete') {
          return readProxyHeader(Buffer.concat([bytes, Buffer.alloc(4096)])) !== 'incomplete'
        }
        return JSON.stringify(longer) === JSON.stringify(found)
      }),
      { ...limits, numRuns: 2000 },
    )
    t.equal(fc.defaultReportMessage(run), undefined)
  },
)
