import t from 'tap'
import { parseAddress } from '../../src/wire/address.ts'
import { parseHostname } from '../../src/wire/hostname.ts'
import {
  type MemberHeader,
  readMemberHeader,
  writeMemberHeader,
} from '../../src/wire/member-header.ts'
import { readProxyHeader } from '../../src/wire/proxy-protocol.ts'
import { linkIdTlv, version2Header, word } from '../support/proxy-header.ts'

const name = parseHostname('orders.test')
if (name === undefined) throw new Error('a good name')

const good: MemberHeader = {
  address: parseAddress('192.0.2.7'),
  port: 50_000,
  sender: 'URI:spiffe://a/b',
  name,
  targetPort: 8443,
  correlationId: '5e0b9a4e-7b0e-4ad8-9d07-0f6f3f3c1f55',
}

void t.test('readMemberHeader reads what writeMemberHeader writes', async (t) => {
  for (const address of ['192.0.2.7', '2001:db8::7', undefined]) {
    const port = address === undefined ? undefined : 50_000
    const header = {
      ...good,
      address: address === undefined ? undefined : parseAddress(address),
      port,
    }
    const bytes = writeMemberHeader(header)
    const more = Buffer.concat([bytes, Buffer.from('what follows')])
    t.match(readMemberHeader(more), { header, length: bytes.length }, address ?? 'a Unix socket')
    for (let length = 0; length < bytes.length; length++) {
      t.equal(readMemberHeader(bytes.subarray(0, length)), 'incomplete', `${length} bytes`)
    }
    t.match(readProxyHeader(bytes), { header: { kind: 'forwarded', port } }, 'for others, too')
  }
})

const text = (value: string): Buffer => Buffer.from(value, 'latin1')
const tlvs = {
  name: [0x02, text('orders.test')],
  id: [0x05, text('c0ffee')],
  sender: [0xe0, text('URI:spiffe://a/b')],
  port: [0xe1, word(8443)],
} as const
type Tlv = readonly [number, Buffer]

void t.test('readMemberHeader takes each of its TLVs once, and skips the unknown', async (t) => {
  const all: readonly Tlv[] = Object.values(tlvs)
  t.type(readMemberHeader(version2Header({ tlvs: all })), 'object')
  t.type(readMemberHeader(version2Header({ tlvs: [...all, [0x04, text('')]] })), 'object')
  const cases: readonly { readonly note: string; readonly tlvs: readonly Tlv[] }[] = [
    ...Object.entries(tlvs).flatMap(([note, tlv]) => [
      { note: `no ${note}`, tlvs: all.filter((one) => one !== tlv) },
      { note: `two of ${note}`, tlvs: [...all, tlv] },
      {
        note: `an empty ${note}`,
        tlvs: all.map((one): Tlv => (one === tlv ? [tlv[0], text('')] : one)),
      },
    ]),
    {
      note: 'a name that is none',
      tlvs: all.map((one): Tlv => (one === tlvs.name ? [0x02, text('a b')] : one)),
    },
    {
      note: 'a name with NUL',
      tlvs: all.map((one): Tlv => (one === tlvs.name ? [0x02, text('a.test\0b')] : one)),
    },
    {
      note: 'a sender with NUL',
      tlvs: all.map((one): Tlv => (one === tlvs.sender ? [0xe0, text('URI:a\0b')] : one)),
    },
    {
      note: 'an id with a line feed',
      tlvs: all.map((one): Tlv => (one === tlvs.id ? [0x05, text('a\nb')] : one)),
    },
    {
      note: 'an id that is too long',
      tlvs: all.map((one): Tlv => (one === tlvs.id ? [0x05, text('a'.repeat(129))] : one)),
    },
    {
      note: 'a port of three bytes',
      tlvs: all.map((one): Tlv => (one === tlvs.port ? [0xe1, text('abc')] : one)),
    },
    { note: 'a private endpoint', tlvs: [...all, linkIdTlv(7)] },
  ]
  for (const { note, tlvs: given } of cases) {
    t.equal(readMemberHeader(version2Header({ tlvs: given })), 'malformed', note)
  }
})

void t.test(
  'readMemberHeader: nothing but a connection that is passed on, in version 2',
  async (t) => {
    const all: readonly Tlv[] = Object.values(tlvs)
    const cases: readonly { readonly note: string; readonly bytes: Buffer }[] = [
      { note: 'LOCAL', bytes: version2Header({ command: 0x20, tlvs: all }) },
      { note: 'of no family', bytes: version2Header({ family: 0, tlvs: all }) },
      { note: 'version 1', bytes: text('PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n') },
      { note: 'HTTP', bytes: text('GET / HTTP/1.1\r\n\r\n') },
      { note: 'TLVs that do not fit', bytes: version2Header({ tlvs: all, more: text('a') }) },
    ]
    for (const { note, bytes } of cases) t.equal(readMemberHeader(bytes), 'malformed', note)
  },
)
