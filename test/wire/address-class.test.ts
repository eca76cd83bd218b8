import fc from 'fast-check'
import t from 'tap'
import { type IpAddress, parseAddress } from '../../src/wire/address.ts'
import { classifyAddress, embeddedIpv4, specialRanges } from '../../src/wire/address-class.ts'

/** Row of the table, its first and last address and the two next to them, each with its class; `-` where there is none. */
const edges = `
0.0.0.0/8              0.0.0.0 unspecified                  0.255.255.255 unspecified                                - -                                                      1.0.0.0 public
10.0.0.0/8             10.0.0.0 private                     10.255.255.255 private                                   9.255.255.255 public                                     11.0.0.0 public
100.64.0.0/10          100.64.0.0 carrier-grade-nat         100.127.255.255 carrier-grade-nat                        100.63.255.255 public                                    100.128.0.0 public
100.100.100.200/32     100.100.100.200 metadata             100.100.100.200 metadata                                 100.100.100.199 carrier-grade-nat                        100.100.100.201 carrier-grade-nat
127.0.0.0/8            127.0.0.0 loopback                   127.255.255.255 loopback                                 126.255.255.255 public                                   128.0.0.0 public
168.63.129.16/32       168.63.129.16 metadata               168.63.129.16 metadata                                   168.63.129.15 public                                     168.63.129.17 public
169.254.0.0/16         169.254.0.0 link-local               169.254.255.255 link-local                               169.253.255.255 public                                   169.255.0.0 public
169.254.0.23/32        169.254.0.23 metadata                169.254.0.23 metadata                                    169.254.0.22 link-local                                  169.254.0.24 link-local
169.254.42.42/32       169.254.42.42 metadata               169.254.42.42 metadata                                   169.254.42.41 link-local                                 169.254.42.43 link-local
169.254.169.254/32     169.254.169.254 metadata             169.254.169.254 metadata                                 169.254.169.253 link-local                               169.254.169.255 link-local
169.254.170.2/32       169.254.170.2 metadata               169.254.170.2 metadata                                   169.254.170.1 link-local                                 169.254.170.3 link-local
169.254.170.23/32      169.254.170.23 metadata              169.254.170.23 metadata                                  169.254.170.22 link-local                                169.254.170.24 link-local
172.16.0.0/12          172.16.0.0 private                   172.31.255.255 private                                   172.15.255.255 public                                    172.32.0.0 public
192.0.0.0/24           192.0.0.0 special-purpose            192.0.0.255 special-purpose                              191.255.255.255 public                                   192.0.1.0 public
192.0.0.192/32         192.0.0.192 metadata                 192.0.0.192 metadata                                     192.0.0.191 special-purpose                              192.0.0.193 special-purpose
192.0.2.0/24           192.0.2.0 documentation              192.0.2.255 documentation                                192.0.1.255 public                                       192.0.3.0 public
192.31.196.0/24        192.31.196.0 special-purpose         192.31.196.255 special-purpose                           192.31.195.255 public                                    192.31.197.0 public
192.52.193.0/24        192.52.193.0 special-purpose         192.52.193.255 special-purpose                           192.52.192.255 public                                    192.52.194.0 public
192.88.99.0/24         192.88.99.0 special-purpose          192.88.99.255 special-purpose                            192.88.98.255 public                                     192.88.100.0 public
192.168.0.0/16         192.168.0.0 private                  192.168.255.255 private                                  192.167.255.255 public                                   192.169.0.0 public
192.175.48.0/24        192.175.48.0 special-purpose         192.175.48.255 special-purpose                           192.175.47.255 public                                    192.175.49.0 public
198.18.0.0/15          198.18.0.0 benchmarking              198.19.255.255 benchmarking                              198.17.255.255 public                                    198.20.0.0 public
198.51.100.0/24        198.51.100.0 documentation           198.51.100.255 documentation                             198.51.99.255 public                                     198.51.101.0 public
203.0.113.0/24         203.0.113.0 documentation            203.0.113.255 documentation                              203.0.112.255 public                                     203.0.114.0 public
224.0.0.0/4            224.0.0.0 multicast                  239.255.255.255 multicast                                223.255.255.255 public                                   240.0.0.0 reserved
240.0.0.0/4            240.0.0.0 reserved                   255.255.255.255 reserved                                 239.255.255.255 multicast                                - -
::/128                 :: unspecified                       :: unspecified                                           - -                                                      ::1 loopback
::1/128                ::1 loopback                         ::1 loopback                                             :: unspecified                                           ::2 embedded-ipv4
::/96                  :: unspecified                       ::ffff:ffff embedded-ipv4                                - -                                                      ::1:0:0 reserved
::ffff:0:0:0/96        ::ffff:0:0:0 embedded-ipv4           ::ffff:0:ffff:ffff embedded-ipv4                         ::fffe:ffff:ffff:ffff reserved                           ::ffff:1:0:0 reserved
64:ff9b::/96           64:ff9b:: embedded-ipv4              64:ff9b::ffff:ffff embedded-ipv4                         64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff reserved           64:ff9b::1:0:0 reserved
64:ff9b:1::/48         64:ff9b:1:: embedded-ipv4            64:ff9b:1:ffff:ffff:ffff:ffff:ffff embedded-ipv4         64:ff9b:0:ffff:ffff:ffff:ffff:ffff reserved              64:ff9b:2:: reserved
100::/64               100:: discard                        100::ffff:ffff:ffff:ffff discard                         ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff reserved           100:0:0:1:: discard
100:0:0:1::/64         100:0:0:1:: discard                  100::1:ffff:ffff:ffff:ffff discard                       100::ffff:ffff:ffff:ffff discard                         100:0:0:2:: reserved
2001::/23              2001:: embedded-ipv4                 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff special-purpose   2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff public           2001:200:: public
2001::/32              2001:: embedded-ipv4                 2001:0:ffff:ffff:ffff:ffff:ffff:ffff embedded-ipv4       2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff public           2001:1:: special-purpose
2001:2::/48            2001:2:: benchmarking                2001:2:0:ffff:ffff:ffff:ffff:ffff benchmarking           2001:1:ffff:ffff:ffff:ffff:ffff:ffff special-purpose     2001:2:1:: special-purpose
2001:db8::/32          2001:db8:: documentation             2001:db8:ffff:ffff:ffff:ffff:ffff:ffff documentation     2001:db7:ffff:ffff:ffff:ffff:ffff:ffff public            2001:db9:: public
2002::/16              2002:: embedded-ipv4                 2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff embedded-ipv4    2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff public           2003:: public
2620:4f:8000::/48      2620:4f:8000:: special-purpose       2620:4f:8000:ffff:ffff:ffff:ffff:ffff special-purpose    2620:4f:7fff:ffff:ffff:ffff:ffff:ffff public             2620:4f:8001:: public
3fff::/20              3fff:: documentation                 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff documentation     3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff public           3fff:1000:: public
5f00::/16              5f00:: special-purpose               5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff special-purpose  5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff reserved         5f01:: reserved
fc00::/7               fc00:: unique-local                  fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff unique-local     fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff reserved         fe00:: reserved
fd00:42::42/128        fd00:42::42 metadata                 fd00:42::42 metadata                                     fd00:42::41 unique-local                                 fd00:42::43 unique-local
fd00:a9fe:a9fe::1/128  fd00:a9fe:a9fe::1 metadata           fd00:a9fe:a9fe::1 metadata                               fd00:a9fe:a9fe:: unique-local                            fd00:a9fe:a9fe::2 unique-local
fd00:ec2::23/128       fd00:ec2::23 metadata                fd00:ec2::23 metadata                                    fd00:ec2::22 unique-local                                fd00:ec2::24 unique-local
fd00:ec2::254/128      fd00:ec2::254 metadata               fd00:ec2::254 metadata                                   fd00:ec2::253 unique-local                               fd00:ec2::255 unique-local
fd20:ce::254/128       fd20:ce::254 metadata                fd20:ce::254 metadata                                    fd20:ce::253 unique-local                                fd20:ce::255 unique-local
fe80::/10              fe80:: link-local                    febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff link-local       fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff reserved         fec0:: site-local
fe80::a9fe:a9fe/128    fe80::a9fe:a9fe metadata             fe80::a9fe:a9fe metadata                                 fe80::a9fe:a9fd link-local                               fe80::a9fe:a9ff link-local
fec0::/10              fec0:: site-local                    feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff site-local       febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff link-local       ff00:: multicast
ff00::/8               ff00:: multicast                     ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff multicast        feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff site-local       - -
`

const publicAddresses = [
  '1.1.1.1',
  '8.8.8.8',
  '20.60.0.1',
  '100.63.255.255',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:80b::200e',
  '2000::',
  '3fff:1000::1',
]

const isatapAddresses = [
  { note: 'ISATAP with a private IPv4', text: '2a00:1450::5efe:a00:1', want: 'embedded-ipv4' },
  { note: 'ISATAP with a public one', text: '2a00:1450::200:5efe:808:808', want: 'embedded-ipv4' },
  { note: 'one bit beside it', text: '2a00:1450::100:5efe:808:808', want: 'public' },
  { note: 'another byte', text: '2a00:1450::1:5efe:808:808', want: 'public' },
  { note: 'half of the mark', text: '2a00:1450::5eff:808:808', want: 'public' },
  { note: 'the other half', text: '2a00:1450::5ffe:808:808', want: 'public' },
]

const embeddings = [
  { note: 'compatible', text: '::7f00:1', want: '127.0.0.1' },
  { note: 'translated', text: '::ffff:0:a9fe:a9fe', want: '169.254.169.254' },
  { note: 'NAT64', text: '64:ff9b::808:808', want: '8.8.8.8' },
  {
    note: 'NAT64 of a local network, in the one plain place',
    text: '64:ff9b:1::a00:1',
    want: '10.0.0.1',
  },
  { note: 'NAT64 of a local network, elsewhere', text: '64:ff9b:1:a00:0:100::', want: undefined },
  { note: '6to4', text: '2002:c0a8:101::1', want: '192.168.1.1' },
  { note: 'Teredo holds two', text: '2001:0:4136:e378:8000:63bf:3fff:fdd2', want: undefined },
  { note: 'ISATAP', text: '2a00:1450::5efe:a00:1', want: undefined },
  { note: 'none', text: '2a00:1450::1', want: undefined },
]

void t.test('classifyAddress: every range from its first to its last address', async (t) => {
  const rows = edges.trim().split('\n')
  for (const row of rows) {
    const [prefix, ...pairs] = row.split(/\s+/)
    for (let index = 0; index < pairs.length; index += 2) {
      const [text, want] = pairs.slice(index, index + 2)
      if (text === '-') continue
      t.equal(classify(text), want, `${prefix}: ${text} is ${want}`)
    }
  }
  t.same(
    rows.map((row) => row.split(/\s+/)[0]),
    specialRanges.map(({ prefix }) => prefix),
    'no range is without a test',
  )
})

void t.test('classifyAddress: what serves the world is public', async (t) => {
  for (const text of publicAddresses) t.equal(classify(text), 'public', text)
})

void t.test('classifyAddress: an IPv4-mapped address is the IPv4 address', async (t) => {
  t.equal(classify('::ffff:127.0.0.1'), 'loopback')
  t.equal(classify('::ffff:a9fe:a9fe'), 'metadata')
  t.equal(classify('::ffff:8.8.8.8'), 'public')
})

void t.test('classifyAddress: an interface id that holds an IPv4 address', async (t) => {
  for (const { note, text, want } of isatapAddresses) t.equal(classify(text), want, note)
})

void t.test('classifyAddress: IPv6 outside 2000::/3 is never public', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const groups = Array.from({ length: 8 }, (_, index) =>
        (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
      )
      const address = addressOf(groups.join(':'))
      if (address.bytes.length === 4) return true
      return (address.bytes[0] ?? 0) >> 5 === 1 || classifyAddress(address) !== 'public'
    }),
  )
})

void t.test('embeddedIpv4: the address that a form leads to', async (t) => {
  for (const { note, text, want } of embeddings) {
    t.equal(embeddedIpv4(addressOf(text))?.text, want, note)
  }
})

void t.test('specialRanges: every row says where it comes from', async (t) => {
  for (const { prefix, source } of specialRanges) t.match(source, /^[A-Z]/, prefix)
})

function classify(text: string | undefined): string {
  return classifyAddress(addressOf(text))
}

function addressOf(text: string | undefined): IpAddress {
  const address = parseAddress(text ?? '')
  if (address === undefined) throw new Error(`not an address: ${text}`)
  return address
}
