import { type IpAddress, parseAddress, type Prefix, prefixCovers } from './address.ts'

/**
 * IPv6 addresses that a network's NAT64 translates to IPv4 (RFC 6052). Only settings say which prefixes it translates:
 * the well-known one leads nowhere without such a network, and any other looks like an ordinary address.
 */

const ipv4Bytes = 4
/** Bits 64 to 71 are kept free, so that no interface id results that means something else (RFC 6052 2.2). */
const reservedByte = 8

/** Lengths that a prefix may have, in bits (RFC 6052 2.2). */
export const nat64Lengths: readonly number[] = [32, 40, 48, 56, 64, 96]

/** Whether a prefix has the form that RFC 6052 2.2 gives it. */
export function isNat64Prefix({ bytes, length }: Prefix): boolean {
  return bytes.length > ipv4Bytes && nat64Lengths.includes(length) && bytes[reservedByte] === 0
}

/**
 * The IPv4 address that an address of one of these prefixes is translated to; `unclear` where the reserved bits are not
 * zero. Undefined: none of them covers it. Of several the longest counts, as in any routing table.
 */
export function translatedIpv4(
  address: IpAddress,
  prefixes: readonly Prefix[],
): IpAddress | 'unclear' | undefined {
  let longest: Prefix | undefined
  for (const prefix of prefixes) {
    if (!prefixCovers(prefix, address)) continue
    if (longest === undefined || prefix.length > longest.length) longest = prefix
  }
  if (longest === undefined) return undefined
  const { bytes } = address
  if (bytes[reservedByte] !== 0) return 'unclear'
  const start = longest.length / 8
  const behind = bytes.subarray(start, start + ipv4Bytes + 1)
  // A prefix of 96 bits has the reserved byte in itself, one of 64 right behind it.
  const offset = reservedByte - start
  const ipv4 = [...behind].filter((_, index) => index !== offset).slice(0, ipv4Bytes)
  return parseAddress(ipv4.join('.')) ?? 'unclear'
}
