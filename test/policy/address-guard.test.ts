import fc from 'fast-check'
import t from 'tap'
import {
  type AddressGrant,
  type AddressGuard,
  createAddressGuard,
  type OwnListener,
} from '../../src/policy/address-guard.ts'
import { type IpAddress, isPrefix, parseAddress, parsePrefix } from '../../src/wire/address.ts'
import { specialRanges } from '../../src/wire/address-class.ts'
import { parseHost } from '../../src/wire/authority.ts'
import { parseNamePattern } from '../../src/wire/hostname.ts'

const guarded = guard({
  'db.example': ['10.1.0.0/16', 'fd12::/16'],
  '*.corp.example': ['10.0.0.0/8', '169.254.0.0/16', '127.0.0.0/8', '0.0.0.0/0', '::/0'],
  '*.single.example': ['169.254.169.254/32', '10.9.9.9/32'],
  'metadata.example': ['169.254.169.254/32', 'fd00:ec2::254/128', '168.63.129.16/32'],
  'wide.example': ['0.0.0.0/0', '::/0'],
  'local.example': ['127.0.0.1/32', '::1/128', '0.0.0.0/32'],
  'nat64.example': ['64:ff9b::/96', '64:ff9b:1::/48'],
  'nat64-private.example': ['64:ff9b::/96', '10.0.0.0/8'],
  'nat64-single.example': ['64:ff9b::a9fe:a9fe/128'],
  'teredo.example': ['2001::/32'],
})

const cases = [
  { note: 'public', host: 'a.example', address: '8.8.8.8', want: undefined },
  { note: 'public IPv6', host: 'a.example', address: '2a00:1450::1', want: undefined },
  { note: 'a public literal', host: '8.8.8.8', address: '8.8.8.8', want: undefined },
  {
    note: 'private without a grant',
    host: 'a.example',
    address: '10.1.2.3',
    want: 'private address',
  },
  {
    note: 'mapped private',
    host: 'a.example',
    address: '::ffff:10.1.2.3',
    want: 'private address',
  },
  { note: 'documentation', host: 'a.example', address: '192.0.2.1', want: 'documentation address' },
  {
    note: 'a private literal has no grants',
    host: '10.1.2.3',
    address: '10.1.2.3',
    want: 'private address',
  },
  { note: 'an IPv6 literal', host: '[::1]', address: '::1', want: 'loopback address' },

  { note: 'granted to this name', host: 'db.example', address: '10.1.2.3', want: undefined },
  { note: 'granted, IPv6', host: 'db.example', address: 'fd12::1', want: undefined },
  { note: 'another range', host: 'db.example', address: '10.2.0.1', want: 'private address' },
  {
    note: 'a name below the granted one',
    host: 'x.db.example',
    address: '10.1.2.3',
    want: 'private address',
  },
  {
    note: 'a name above the granted one',
    host: 'example',
    address: '10.1.2.3',
    want: 'private address',
  },
  { note: 'by wildcard', host: 'a.corp.example', address: '10.1.2.3', want: undefined },
  { note: 'by wildcard, deeper', host: 'a.b.c.corp.example', address: '10.1.2.3', want: undefined },
  {
    note: 'a wildcard leaves the apex out',
    host: 'corp.example',
    address: '10.1.2.3',
    want: 'private address',
  },
  {
    note: 'a label that only ends alike',
    host: 'a.xcorp.example',
    address: '10.1.2.3',
    want: 'private address',
  },
  {
    note: 'a single address by wildcard',
    host: 'a.single.example',
    address: '10.9.9.9',
    want: undefined,
  },

  { note: 'metadata', host: 'a.example', address: '169.254.169.254', want: 'metadata address' },
  {
    note: 'metadata at a public address',
    host: 'a.example',
    address: '168.63.129.16',
    want: 'metadata address',
  },
  {
    note: 'metadata by range',
    host: 'wide.example',
    address: '169.254.169.254',
    want: 'metadata address',
  },
  {
    note: 'metadata at a public address by range',
    host: 'wide.example',
    address: '168.63.129.16',
    want: 'metadata address',
  },
  {
    note: 'unique-local metadata by range',
    host: 'wide.example',
    address: 'fd00:ec2::254',
    want: 'metadata address',
  },
  {
    note: 'metadata by wildcard range',
    host: 'a.corp.example',
    address: '169.254.169.254',
    want: 'metadata address',
  },
  {
    note: 'metadata by wildcard, single',
    host: 'a.single.example',
    address: '169.254.169.254',
    want: 'metadata address',
  },
  {
    note: 'metadata, single and exact',
    host: 'metadata.example',
    address: '169.254.169.254',
    want: undefined,
  },
  {
    note: 'metadata, single and exact, public',
    host: 'metadata.example',
    address: '168.63.129.16',
    want: undefined,
  },
  {
    note: 'metadata, single and exact, IPv6',
    host: 'metadata.example',
    address: 'fd00:ec2::254',
    want: undefined,
  },
  {
    note: 'the address beside the single one',
    host: 'metadata.example',
    address: '169.254.169.253',
    want: 'link-local address',
  },
  {
    note: 'loopback by range',
    host: 'wide.example',
    address: '127.0.0.1',
    want: 'loopback address',
  },
  {
    note: 'loopback IPv6 by range',
    host: 'wide.example',
    address: '::1',
    want: 'loopback address',
  },
  {
    note: 'link-local by range',
    host: 'wide.example',
    address: 'fe80::1',
    want: 'link-local address',
  },
  {
    note: 'this machine by another name, by range',
    host: 'wide.example',
    address: '0.0.0.0',
    want: 'unspecified address',
  },
  {
    note: 'loopback, single and exact',
    host: 'local.example',
    address: '127.0.0.1',
    want: undefined,
  },
  {
    note: 'loopback IPv6, single and exact',
    host: 'local.example',
    address: '::1',
    want: undefined,
  },
  {
    note: 'unspecified, single and exact',
    host: 'local.example',
    address: '0.0.0.0',
    want: undefined,
  },
  {
    note: 'another loopback address',
    host: 'local.example',
    address: '127.0.0.2',
    want: 'loopback address',
  },

  {
    note: 'NAT64 without a grant',
    host: 'a.example',
    address: '64:ff9b::808:808',
    want: 'embedded-ipv4 address',
  },
  {
    note: 'NAT64 of a public address',
    host: 'nat64.example',
    address: '64:ff9b::808:808',
    want: undefined,
  },
  {
    note: 'NAT64 of metadata',
    host: 'nat64.example',
    address: '64:ff9b::a9fe:a9fe',
    want: 'embedded-ipv4: metadata address',
  },
  {
    note: 'NAT64 of a private address',
    host: 'nat64.example',
    address: '64:ff9b::a00:1',
    want: 'embedded-ipv4: private address',
  },
  {
    note: 'NAT64 of a granted private address',
    host: 'nat64-private.example',
    address: '64:ff9b::a00:1',
    want: undefined,
  },
  {
    note: 'NAT64 of a private address that is not granted',
    host: 'nat64-private.example',
    address: '64:ff9b::c0a8:1',
    want: 'embedded-ipv4: private address',
  },
  {
    note: 'local NAT64, public',
    host: 'nat64.example',
    address: '64:ff9b:1::808:808',
    want: undefined,
  },
  {
    note: 'local NAT64 that cannot be read',
    host: 'nat64.example',
    address: '64:ff9b:1:a00:0:100::',
    want: 'embedded-ipv4 address',
  },
  {
    note: 'NAT64, single and exact',
    host: 'nat64-single.example',
    address: '64:ff9b::a9fe:a9fe',
    want: undefined,
  },
  {
    note: 'Teredo by range',
    host: 'teredo.example',
    address: '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    want: 'embedded-ipv4 address',
  },
]

void t.test('createAddressGuard: refuses what is not public, unless it is granted', async (t) => {
  for (const { note, want, ...request } of cases) t.equal(refuse(guarded, request), want, note)
})

void t.test('createAddressGuard: two grants for one name add up', async (t) => {
  const grants = [
    ...grantsOf({ 'a.example': ['10.0.0.0/8'] }),
    ...grantsOf({ 'a.example': ['192.168.0.0/16'] }),
  ]
  const both = createAddressGuard({ grants, ownListeners: () => [], ownAddresses: () => [] })
  t.equal(refuse(both, { host: 'a.example', address: '10.0.0.1' }), undefined)
  t.equal(refuse(both, { host: 'a.example', address: '192.168.0.1' }), undefined)
  t.equal(refuse(both, { host: 'a.example', address: '172.16.0.1' }), 'private address')
})

const translating = createAddressGuard({
  grants: grantsOf({
    'db.example': ['10.1.0.0/16'],
    'single.example': ['2a00:64::a9fe:a9fe/128', '10.9.9.9/32'],
    'range.example': ['64:ff9b::/96', '127.0.0.0/8'],
  }),
  ownListeners: () => [{ address: 'any-v4', port: 8080 }],
  ownAddresses: () => [addressOf('20.1.1.1')],
  nat64: ['64:ff9b::/96', '2a00:64::/96', '2a00:65::/64'].map((text) => {
    const prefix = parsePrefix(text)
    if (!isPrefix(prefix)) throw new Error(`not a prefix: ${text}`)
    return prefix
  }),
})

const translated = [
  { note: 'public', address: '64:ff9b::808:808', want: undefined },
  {
    note: 'public, as a literal',
    host: '[64:ff9b::808:808]',
    address: '64:ff9b::808:808',
  },
  { note: "public, by the network's own prefix", address: '2a00:64::808:808' },
  {
    note: 'metadata',
    address: '64:ff9b::a9fe:a9fe',
    want: 'embedded-ipv4: metadata address',
  },
  {
    note: "metadata by the network's own prefix",
    address: '2a00:64::a9fe:a9fe',
    want: 'embedded-ipv4: metadata address',
  },
  {
    note: 'WireServer, which has a public address',
    address: '64:ff9b::a83f:8110',
    want: 'embedded-ipv4: metadata address',
  },
  {
    note: 'private',
    address: '64:ff9b::a01:203',
    want: 'embedded-ipv4: private address',
  },
  {
    note: 'private and granted',
    host: 'db.example',
    address: '64:ff9b::a01:203',
  },
  {
    note: 'a single private one',
    host: 'single.example',
    address: '64:ff9b::a09:909',
  },
  {
    note: 'loopback, of a prefix and a range that are granted',
    host: 'range.example',
    address: '64:ff9b::7f00:1',
    want: 'embedded-ipv4: loopback address',
  },
  {
    note: 'a single address of the prefix',
    host: 'single.example',
    address: '2a00:64::a9fe:a9fe',
  },
  {
    note: 'the same without its grant, as a literal',
    host: '[2a00:64::a9fe:a9fe]',
    address: '2a00:64::a9fe:a9fe',
    want: 'embedded-ipv4: metadata address',
  },
  {
    note: 'our own listener',
    address: '64:ff9b::1401:101',
    port: 8080,
    want: 'embedded-ipv4: own listener',
  },
  {
    note: 'one that does not say which IPv4 address',
    address: '2a00:65::a908:808:808:0',
    want: 'embedded-ipv4 address',
  },
  {
    note: 'a prefix that is not translated here',
    address: '64:ff9b:1::808:808',
    want: 'embedded-ipv4 address',
  },
  { note: 'an ordinary address', address: '2a00:1450::1' },
]

void t.test('createAddressGuard: judges what the network translates as the IPv4 address', (t) => {
  for (const { note, want, host = 'a.example', ...request } of translated) {
    t.equal(refuse(translating, { host, ...request }), want, note)
  }
  t.end()
})

const ownCases = [
  {
    note: 'a public address of ours, on our port',
    address: '20.1.1.1',
    port: 8080,
    want: 'own listener',
  },
  { note: 'on another port', address: '20.1.1.1', port: 8081, want: undefined },
  { note: 'the same port elsewhere', address: '20.1.1.2', port: 8080, want: undefined },
  {
    note: 'a public IPv6 address of ours on an IPv4 listener',
    address: '2a00::1',
    port: 8080,
    want: undefined,
  },
  { note: 'a public IPv6 address of ours', address: '2a00::1', port: 9090, want: 'own listener' },
  { note: 'IPv4 on a listener for both', address: '20.1.1.1', port: 9090, want: 'own listener' },
  { note: 'a listener on one address', address: '20.1.1.3', port: 3128, want: 'own listener' },
  {
    note: 'one of our addresses that it is not on',
    address: '20.1.1.1',
    port: 3128,
    want: undefined,
  },
  {
    note: 'named by its address',
    address: '20.1.1.1',
    port: 8080,
    host: '20.1.1.1',
    want: 'own listener',
  },
  {
    note: 'granted by range',
    address: '20.1.1.1',
    port: 8080,
    host: 'range.example',
    want: 'own listener',
  },
  {
    note: 'granted by wildcard',
    address: '20.1.1.1',
    port: 8080,
    host: 'a.wild.example',
    want: 'own listener',
  },
  {
    note: 'granted as single address',
    address: '20.1.1.1',
    port: 8080,
    host: 'single.example',
    want: undefined,
  },
  {
    note: 'private, granted by range',
    address: '10.0.0.1',
    port: 8080,
    host: 'range.example',
    want: 'own listener',
  },
  {
    note: 'private, granted by range, another port',
    address: '10.0.0.1',
    port: 443,
    host: 'range.example',
    want: undefined,
  },
  {
    note: 'through NAT64',
    address: '64:ff9b::1401:101',
    port: 8080,
    host: 'range.example',
    want: 'embedded-ipv4: own listener',
  },
]

void t.test(
  'createAddressGuard: refuses our own listeners, even on public addresses',
  async (t) => {
    const listeners: OwnListener[] = []
    const own = createAddressGuard({
      grants: grantsOf({
        'range.example': ['20.1.1.0/24', '10.0.0.0/8', '64:ff9b::/96'],
        '*.wild.example': ['20.1.1.1/32'],
        'single.example': ['20.1.1.1/32'],
      }),
      ownListeners: () => listeners,
      ownAddresses: () => ['20.1.1.1', '20.1.1.3', '10.0.0.1', '2a00::1'].map(addressOf),
    })
    t.equal(
      refuse(own, { host: 'a.example', address: '20.1.1.1', port: 8080 }),
      undefined,
      'nothing listens yet',
    )
    listeners.push(
      { address: 'any-v4', port: 8080 },
      { address: 'any-v6', port: 9090 },
      { address: addressOf('20.1.1.3'), port: 3128 },
    )
    for (const { note, want, host = 'a.example', ...request } of ownCases) {
      t.equal(refuse(own, { host, ...request }), want, note)
    }
  },
)

void t.test(
  'createAddressGuard: what a naive reading calls special is never let through ungranted',
  async () => {
    const bare = guard({})
    const ranges = specialRanges.map(({ prefix }) => {
      const [first = '', length = ''] = prefix.split('/')
      const { bytes } = addressOf(first)
      return { bits: bitsOf(bytes).slice(0, Number(length)), width: bytes.length * 8 }
    })
    const anyRange = fc.constantFrom(...ranges)
    const anyBits = fc.array(fc.constantFrom('0', '1'), { minLength: 128, maxLength: 128 })
    fc.assert(
      fc.property(anyRange, anyBits, (range, random) => {
        const bits = (range.bits + random.join('')).slice(0, range.width)
        const address = addressOf(textOf(bits))
        return ['a.example', address.bytes.length === 4 ? address.text : `[${address.text}]`].every(
          (host) => refuse(bare, { host, address: address.text }) !== undefined,
        )
      }),
      { numRuns: 5000 },
    )
    fc.assert(
      fc.property(anyBits, fc.boolean(), (random, isIpv4) => {
        const bits = random.slice(0, isIpv4 ? 32 : 128).join('')
        const isSpecial = ranges.some(
          (range) => range.width === bits.length && bits.startsWith(range.bits),
        )
        const isUnassigned = !isIpv4 && !bits.startsWith('001')
        const isRefused = refuse(bare, { host: 'a.example', address: textOf(bits) }) !== undefined
        return isRefused === (isSpecial || isUnassigned)
      }),
      { numRuns: 2000 },
    )
  },
)

interface Asked {
  readonly host: string
  readonly address: string
  readonly port?: number
}

function refuse(by: AddressGuard, { host, address, port = 443 }: Asked): string | undefined {
  const parsed = parseHost(host)
  if (parsed === undefined) throw new Error(`not a host: ${host}`)
  return by.refuse({ host: parsed, address: addressOf(address), port })?.detail
}

function guard(names: Readonly<Record<string, readonly string[]>>): AddressGuard {
  return createAddressGuard({
    grants: grantsOf(names),
    ownListeners: () => [],
    ownAddresses: () => [],
  })
}

function grantsOf(names: Readonly<Record<string, readonly string[]>>): AddressGrant[] {
  return Object.entries(names).map(([text, prefixes]) => {
    const name = parseNamePattern(text)
    if (name === undefined) throw new Error(`not a pattern: ${text}`)
    return { name, prefixes: prefixes.map((prefix) => parsePrefix(prefix)).filter(isPrefix) }
  })
}

function addressOf(text: string): IpAddress {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`not an address: ${text}`)
  return address
}

function bitsOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
}

function textOf(bits: string): string {
  if (bits.length === 32) {
    return Array.from({ length: 4 }, (_, at) => parseInt(bits.slice(at * 8, at * 8 + 8), 2)).join(
      '.',
    )
  }
  return Array.from({ length: 8 }, (_, at) =>
    parseInt(bits.slice(at * 16, at * 16 + 16), 2).toString(16),
  ).join(':')
}
