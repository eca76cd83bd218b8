import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * IP addresses and prefixes as facts. The only file that imports ipaddr.js, and only behind `net.isIP`: by itself the
 * library accepts `10/8`, octal, hexadecimal and zone ids.
 */

/** A parsed address. IPv4-mapped IPv6 is the IPv4 (RFC 4291 2.5.5.2): 4 bytes, else 16 bytes. Never mutated. */
export interface IpAddress {
  readonly kind: 'address'
  readonly bytes: Uint8Array
  /** Canonical text (RFC 5952), without brackets. */
  readonly text: string
}

/** A parsed prefix: host bits are zero. */
export interface Prefix {
  readonly bytes: Uint8Array
  /** Bits that count: 0–32 for 4 bytes, 0–128 for 16. */
  readonly length: number
  /** Canonical text, always with the length. */
  readonly text: string
}

export type PrefixProblem =
  | { readonly kind: 'not-a-prefix' }
  | { readonly kind: 'host-bits'; readonly network: string }
  | { readonly kind: 'mapped'; readonly ipv4: string | undefined }

const mappedPrefixBits = 96

/** Parses an address in its plain textual form; undefined for anything else (zone ids, brackets, octal, short forms). */
export function parseAddress(text: string): IpAddress | undefined {
  const family = isIP(text)
  if (family === 0 || text.includes('%')) return undefined
  const parsed = read(text)
  const plain =
    parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed
  return {
    kind: 'address',
    bytes: Uint8Array.from(plain.toByteArray()),
    text: plain instanceof ipaddr.IPv6 ? plain.toRFC5952String() : plain.toString(),
  }
}

/** The address of 4 or 16 bytes in network order, which it does not keep; undefined for another number of them. */
export function addressFromBytes(bytes: Uint8Array): IpAddress | undefined {
  return bytes.length === 4 || bytes.length === 16 ? parseAddress(formatBytes(bytes)) : undefined
}

/** Parses `address/length`, or a bare address as the prefix that holds only it. */
export function parsePrefix(text: string): Prefix | PrefixProblem {
  const slash = text.indexOf('/')
  const address = slash === -1 ? text : text.slice(0, slash)
  const family = isIP(address)
  if (family === 0 || address.includes('%')) return { kind: 'not-a-prefix' }
  const bits = family === 4 ? 32 : 128
  const lengthText = slash === -1 ? String(bits) : text.slice(slash + 1)
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return { kind: 'not-a-prefix' }
  const length = Number(lengthText)
  if (length > bits) return { kind: 'not-a-prefix' }
  const parsed = read(address)
  if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress()) {
    if (length < mappedPrefixBits) return { kind: 'mapped', ipv4: undefined }
    const ipv4Length = length - mappedPrefixBits
    const ipv4 = maskBytes(Uint8Array.from(parsed.toIPv4Address().toByteArray()), ipv4Length)
    return { kind: 'mapped', ipv4: `${formatBytes(ipv4)}/${ipv4Length}` }
  }
  const bytes = Uint8Array.from(parsed.toByteArray())
  const network = maskBytes(bytes, length)
  const networkText = `${formatBytes(network)}/${length}`
  if (bytes.some((byte, index) => byte !== network[index])) {
    return { kind: 'host-bits', network: networkText }
  }
  return { bytes: network, length, text: networkText }
}

export function isPrefix(value: Prefix | PrefixProblem): value is Prefix {
  return !('kind' in value)
}

/** Whether the prefix covers the address. For short lists; rule look-up on the request path uses `policy/address-set`. */
export function prefixCovers(prefix: Prefix, address: IpAddress): boolean {
  if (prefix.bytes.length !== address.bytes.length) return false
  const whole = prefix.length >> 3
  for (let index = 0; index < whole; index++) {
    if (prefix.bytes[index] !== address.bytes[index]) return false
  }
  const rest = prefix.length & 7
  const difference = (prefix.bytes[whole] ?? 0) ^ (address.bytes[whole] ?? 0)
  return difference >> (8 - rest) === 0
}

/** Whether two prefixes have an address in common: then one of them lies within the other. */
export function prefixesOverlap(one: Prefix, other: Prefix): boolean {
  const [wide, narrow] = one.length < other.length ? [one, other] : [other, one]
  return prefixCovers(wide, { kind: 'address', bytes: narrow.bytes, text: narrow.text })
}

/**
 * What `net.isIP` took, read. A dotted end goes in as two groups: ipaddr.js reads `::192.0.2.1` (RFC 4291 2.5.5.1, an
 * address of its own) as `::ffff:192.0.2.1`, which is the IPv4.
 */
function read(text: string): ipaddr.IPv4 | ipaddr.IPv6 {
  const colon = text.lastIndexOf(':')
  if (colon === -1 || !text.includes('.')) return ipaddr.parse(text)
  const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(text.slice(colon + 1)).toByteArray()
  const groups = [a * 256 + b, c * 256 + d].map((group) => group.toString(16))
  return ipaddr.parse(`${text.slice(0, colon + 1)}${groups.join(':')}`)
}

function maskBytes(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, index) => {
    const kept = Math.max(0, Math.min(8, length - index * 8))
    return byte & (0xff << (8 - kept)) & 0xff
  })
}

function formatBytes(bytes: Uint8Array): string {
  const parsed = ipaddr.fromByteArray([...bytes])
  return parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString()
}
