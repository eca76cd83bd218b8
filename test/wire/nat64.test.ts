import t from 'tap'
import { type IpAddress, isPrefix, parseAddress, parsePrefix } from '../../src/wire/address.ts'
import { isNat64Prefix, translatedIpv4 } from '../../src/wire/nat64.ts'

/** The table of RFC 6052 2.4: one IPv4 address behind prefixes of every length, then what is not one. */
const cases = [
  {
    prefixes: ['2001:db8::/32'],
    address: '2001:db8:c000:221::',
    want: '192.0.2.33',
  },
  {
    prefixes: ['2001:db8:100::/40'],
    address: '2001:db8:1c0:2:21::',
    want: '192.0.2.33',
  },
  {
    prefixes: ['2001:db8:122::/48'],
    address: '2001:db8:122:c000:2:2100::',
    want: '192.0.2.33',
  },
  {
    prefixes: ['2001:db8:122:300::/56'],
    address: '2001:db8:122:3c0:0:221::',
    want: '192.0.2.33',
  },
  {
    prefixes: ['2001:db8:122:344::/64'],
    address: '2001:db8:122:344:c0:2:2100::',
    want: '192.0.2.33',
  },
  {
    prefixes: ['2001:db8:122:344::/96'],
    address: '2001:db8:122:344::c000:221',
    want: '192.0.2.33',
  },
  {
    prefixes: ['64:ff9b::/96'],
    address: '64:ff9b::a9fe:a9fe',
    want: '169.254.169.254',
  },
  {
    prefixes: ['64:ff9b::/96'],
    address: '64:ff9b:1::808:808',
    want: undefined,
  },
  { prefixes: ['64:ff9b::/96'], address: '8.8.8.8', want: undefined },
  { prefixes: [], address: '64:ff9b::808:808', want: undefined },
  {
    prefixes: ['2a00:64::/64'],
    address: '2a00:64::a908:808:808:0',
    want: 'unclear',
  },
  {
    prefixes: ['2a00:64::/32', '2a00:64::/96'],
    address: '2a00:64::808:808',
    want: '8.8.8.8',
  },
  {
    prefixes: ['2a00:64::/96', '2a00:64::/32'],
    address: '2a00:64::808:808',
    want: '8.8.8.8',
  },
]

void t.test('translatedIpv4: what an address of each prefix leads to', (t) => {
  for (const { prefixes, address, want } of cases) {
    const found = translatedIpv4(addressOf(address), prefixes.map(parsePrefix).filter(isPrefix))
    const got = typeof found === 'object' ? found.text : found
    t.equal(got, want, `${address} of ${prefixes.join(', ')}`)
  }
  t.end()
})

const forms = [
  { text: '64:ff9b::/96', want: true },
  { text: '2a00:64::/32', want: true },
  { text: '2a00:64::/64', want: true },
  { text: '2a00:64::/48', want: true },
  { text: '2a00:64::/33', want: false },
  { text: '2a00:64::/128', want: false },
  { text: '2a00:64:0:0:100::/96', want: false },
  { text: '10.0.0.0/32', want: false },
]

void t.test('isNat64Prefix: the six lengths, with the reserved bits zero', (t) => {
  for (const { text, want } of forms) {
    const prefix = parsePrefix(text)
    t.equal(isPrefix(prefix) && isNat64Prefix(prefix), want, text)
  }
  t.end()
})

function addressOf(text: string): IpAddress {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`not an address: ${text}`)
  return address
}
