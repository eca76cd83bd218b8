import {
  type IpAddress,
  parseAddress,
  parsePrefix,
  prefixCovers,
  isPrefix,
  type Prefix,
} from './address.ts'

/**
 * Which addresses lead to the internet, and what the others are. An address is public when no row covers it and, for
 * IPv6, when it is global unicast (2000::/3): what nobody has assigned yet is not public either.
 */

export const nonPublicClasses = [
  'unspecified',
  'loopback',
  'link-local',
  'metadata',
  'private',
  'unique-local',
  'site-local',
  'carrier-grade-nat',
  'embedded-ipv4',
  'benchmarking',
  'documentation',
  'multicast',
  'discard',
  'special-purpose',
  'reserved',
] as const

export type NonPublicClass = (typeof nonPublicClasses)[number]

export type AddressClass = 'public' | NonPublicClass

export interface SpecialRange {
  readonly prefix: string
  readonly class: NonPublicClass
  readonly source: string
}

/**
 * The IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890, as of 2025), multicast, reserved space, and
 * where clouds keep credentials. Where rows overlap the longest prefix counts. Rows that the registries call globally
 * reachable (anycast services of the network itself) are here all the same: no service that a rule names lives there.
 */
export const specialRanges: readonly SpecialRange[] = [
  { prefix: '0.0.0.0/8', class: 'unspecified', source: 'RFC 791 3.2, RFC 1122 3.2.1.3' },
  { prefix: '10.0.0.0/8', class: 'private', source: 'RFC 1918 3' },
  { prefix: '100.64.0.0/10', class: 'carrier-grade-nat', source: 'RFC 6598 7' },
  { prefix: '100.100.100.200/32', class: 'metadata', source: 'Alibaba Cloud' },
  { prefix: '127.0.0.0/8', class: 'loopback', source: 'RFC 1122 3.2.1.3' },
  { prefix: '168.63.129.16/32', class: 'metadata', source: 'Azure WireServer' },
  { prefix: '169.254.0.0/16', class: 'link-local', source: 'RFC 3927 7' },
  { prefix: '169.254.0.23/32', class: 'metadata', source: 'Tencent Cloud' },
  { prefix: '169.254.42.42/32', class: 'metadata', source: 'Scaleway' },
  {
    prefix: '169.254.169.254/32',
    class: 'metadata',
    source: 'AWS, Azure, Google, Oracle and others',
  },
  { prefix: '169.254.170.2/32', class: 'metadata', source: 'AWS ECS task credentials' },
  { prefix: '169.254.170.23/32', class: 'metadata', source: 'AWS EKS Pod Identity' },
  { prefix: '172.16.0.0/12', class: 'private', source: 'RFC 1918 3' },
  { prefix: '192.0.0.0/24', class: 'special-purpose', source: 'RFC 6890 2.1' },
  { prefix: '192.0.0.192/32', class: 'metadata', source: 'Oracle Cloud Classic' },
  { prefix: '192.0.2.0/24', class: 'documentation', source: 'RFC 5737 3' },
  { prefix: '192.31.196.0/24', class: 'special-purpose', source: 'RFC 7535 2.2, AS112' },
  { prefix: '192.52.193.0/24', class: 'special-purpose', source: 'RFC 7450 7, AMT' },
  { prefix: '192.88.99.0/24', class: 'special-purpose', source: 'RFC 7526 3, 6to4 relays' },
  { prefix: '192.168.0.0/16', class: 'private', source: 'RFC 1918 3' },
  { prefix: '192.175.48.0/24', class: 'special-purpose', source: 'RFC 7534 2, AS112' },
  { prefix: '198.18.0.0/15', class: 'benchmarking', source: 'RFC 2544 C.2.2' },
  { prefix: '198.51.100.0/24', class: 'documentation', source: 'RFC 5737 3' },
  { prefix: '203.0.113.0/24', class: 'documentation', source: 'RFC 5737 3' },
  { prefix: '224.0.0.0/4', class: 'multicast', source: 'RFC 5771 3' },
  { prefix: '240.0.0.0/4', class: 'reserved', source: 'RFC 1112 4; broadcast: RFC 919 7' },

  { prefix: '::/128', class: 'unspecified', source: 'RFC 4291 2.5.2' },
  { prefix: '::1/128', class: 'loopback', source: 'RFC 4291 2.5.3' },
  { prefix: '::/96', class: 'embedded-ipv4', source: 'RFC 4291 2.5.5.1, compatible' },
  { prefix: '::ffff:0:0:0/96', class: 'embedded-ipv4', source: 'RFC 2765 2.1, translated' },
  { prefix: '64:ff9b::/96', class: 'embedded-ipv4', source: 'RFC 6052 2.1, NAT64' },
  { prefix: '64:ff9b:1::/48', class: 'embedded-ipv4', source: 'RFC 8215 3, NAT64' },
  { prefix: '100::/64', class: 'discard', source: 'RFC 6666 4' },
  { prefix: '100:0:0:1::/64', class: 'discard', source: 'RFC 9780 3' },
  { prefix: '2001::/23', class: 'special-purpose', source: 'RFC 2928' },
  { prefix: '2001::/32', class: 'embedded-ipv4', source: 'RFC 4380 4, Teredo' },
  { prefix: '2001:2::/48', class: 'benchmarking', source: 'RFC 5180 8' },
  { prefix: '2001:db8::/32', class: 'documentation', source: 'RFC 3849 4' },
  { prefix: '2002::/16', class: 'embedded-ipv4', source: 'RFC 3056 2, 6to4' },
  { prefix: '2620:4f:8000::/48', class: 'special-purpose', source: 'RFC 7534 2, AS112' },
  { prefix: '3fff::/20', class: 'documentation', source: 'RFC 9637 4' },
  { prefix: '5f00::/16', class: 'special-purpose', source: 'RFC 9602 5, SRv6 SIDs' },
  { prefix: 'fc00::/7', class: 'unique-local', source: 'RFC 4193 8' },
  { prefix: 'fd00:42::42/128', class: 'metadata', source: 'Scaleway' },
  { prefix: 'fd00:a9fe:a9fe::1/128', class: 'metadata', source: 'Akamai Cloud' },
  { prefix: 'fd00:ec2::23/128', class: 'metadata', source: 'AWS EKS Pod Identity' },
  { prefix: 'fd00:ec2::254/128', class: 'metadata', source: 'AWS' },
  { prefix: 'fd20:ce::254/128', class: 'metadata', source: 'Google Cloud' },
  { prefix: 'fe80::/10', class: 'link-local', source: 'RFC 4291 2.5.6' },
  { prefix: 'fe80::a9fe:a9fe/128', class: 'metadata', source: 'OpenStack' },
  { prefix: 'fec0::/10', class: 'site-local', source: 'RFC 3879 4' },
  { prefix: 'ff00::/8', class: 'multicast', source: 'RFC 4291 2.7' },
]

interface Row {
  readonly prefix: Prefix
  readonly class: NonPublicClass
}

const ipv4Bytes = 4
const rows = specialRanges.map(rowOf).toSorted((a, b) => b.prefix.length - a.prefix.length)
const ipv4ByFirstByte = indexByFirstByte(
  rows.filter((row) => row.prefix.bytes.length === ipv4Bytes),
)
const ipv6ByFirstByte = indexByFirstByte(rows.filter((row) => row.prefix.bytes.length > ipv4Bytes))

/** Says what an address is. Pure, and cheap: the rows are indexed by the first byte. */
export function classifyAddress(address: IpAddress): AddressClass {
  const { bytes } = address
  const firstByte = bytes[0] ?? 0
  const isIpv4 = bytes.length === ipv4Bytes
  for (const row of (isIpv4 ? ipv4ByFirstByte : ipv6ByFirstByte)[firstByte] ?? []) {
    if (prefixCovers(row.prefix, address)) return row.class
  }
  if (isIpv4) return 'public'
  if (firstByte >> 5 !== globalUnicast) return 'reserved'
  return hasIsatapInterface(bytes) ? 'embedded-ipv4' : 'public'
}

/** The first three bits of 2000::/3 (RFC 4291 2.4, IANA "IPv6 Global Unicast Address Space"). */
const globalUnicast = 0b001

/** ISATAP puts an IPv4 address behind any prefix: interface ids `0:5efe` and `200:5efe` (RFC 5214 6.1). */
function hasIsatapInterface(bytes: Uint8Array): boolean {
  return (
    bytes[10] === 0x5e && bytes[11] === 0xfe && bytes[9] === 0 && ((bytes[8] ?? 0) & 0xfd) === 0
  )
}

/** First byte of the IPv4 address in the forms that have exactly one way to hold it. */
const ipv4Offsets: readonly { readonly prefix: Prefix; readonly offset: number }[] = [
  { prefix: '::/96', offset: 12 },
  { prefix: '::ffff:0:0:0/96', offset: 12 },
  { prefix: '64:ff9b::/96', offset: 12 },
  { prefix: '64:ff9b:1::/96', offset: 12 },
  { prefix: '2002::/16', offset: 2 },
].map(({ prefix, offset }) => ({ prefix: knownPrefix(prefix), offset }))

/**
 * The IPv4 address that an `embedded-ipv4` address leads to; undefined where the form holds several (Teredo), holds it
 * in a place that only the network knows (RFC 8215), or holds none.
 */
export function embeddedIpv4(address: IpAddress): IpAddress | undefined {
  const form = ipv4Offsets.find(({ prefix }) => prefixCovers(prefix, address))
  if (form === undefined) return undefined
  return parseAddress(address.bytes.subarray(form.offset, form.offset + ipv4Bytes).join('.'))
}

function rowOf(range: SpecialRange): Row {
  return { prefix: knownPrefix(range.prefix), class: range.class }
}

function knownPrefix(text: string): Prefix {
  const prefix = parsePrefix(text)
  // The table is ours: a row that does not parse is a mistake in this file.
  if (!isPrefix(prefix)) throw new TypeError(`not a prefix: ${text}`)
  return prefix
}

function indexByFirstByte(sorted: readonly Row[]): readonly (readonly Row[])[] {
  return Array.from({ length: 256 }, (_, firstByte) =>
    sorted.filter(({ prefix }) => {
      const shared = Math.min(8, prefix.length)
      return ((prefix.bytes[0] ?? 0) ^ firstByte) >> (8 - shared) === 0
    }),
  )
}
