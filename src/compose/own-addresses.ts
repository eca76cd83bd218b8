import { networkInterfaces } from 'node:os'
import { monotonicNow } from '../transport/slices.ts'
import { seconds } from '../units.ts'
import { type IpAddress, parseAddress } from '../wire/address.ts'

/** Nothing tells of a new address; reading them takes a tenth of a millisecond. */
const keptMs = seconds(1)

/**
 * Addresses of this machine's interfaces, read when they are asked for, at most once a second. What leads here by way of
 * another machine (a load balancer, a cloud's public address) is not among them.
 */
export function createOwnAddresses(
  read: () => readonly IpAddress[] = readInterfaces,
  now: () => number = monotonicNow,
): () => readonly IpAddress[] {
  let known: readonly IpAddress[] = []
  let readAt = -Infinity
  return () => {
    if (now() - readAt < keptMs) return known
    known = read()
    readAt = now()
    return known
  }
}

function readInterfaces(): readonly IpAddress[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => parseAddress(address.replace(/%.*$/, '')))
    .filter((address) => address !== undefined)
}
