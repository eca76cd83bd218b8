import { promises as dns } from 'node:dns'
import { PerimeterError } from '../errors.ts'
import { type IpAddress, parseAddress } from '../wire/address.ts'
import type { Hostname } from '../wire/hostname.ts'
import { seconds } from '../units.ts'

/**
 * Questions to DNS servers over c-ares, and nothing but questions: the name goes out as it is, as absolute. Neither
 * search lists nor the hosts file nor a resolver's idea of `localhost` are asked, and nothing is cached here. A name
 * that ought to mean one thing must not come to mean another on some machine.
 *
 * Against answers that others forge, c-ares gives each question a random id and a random port, which questions under way
 * at the same time share, and takes datagrams from the server that it asked alone. It follows no alias: whatever a server
 * says is judged by address, by the guard.
 */

/** What one record type gave. Times to live in milliseconds. */
export type FamilyAnswer =
  | { readonly kind: 'addresses'; readonly addresses: readonly IpAddress[]; readonly ttlMs: number }
  /** A server said so: no such name, or none of this type. */
  | { readonly kind: 'none' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'failed' }

export interface DnsQueries {
  /** Never rejects. Ends by itself within a small multiple of `timeoutMs`. */
  ask(name: Hostname, type: 'A' | 'AAAA'): Promise<FamilyAnswer>
}

export interface DnsQueriesOptions {
  /** `address` or `address:port`; empty: the system's. */
  readonly nameservers: readonly string[]
  readonly timeoutMs: number
  readonly now: () => number
}

/** A lost datagram is sent once more, after a third of the time and with the rest of it (c-ares doubles the wait). */
const tries = 2
const sharesOfTries = 3

/** The system's servers change under a laptop or a VPN; c-ares reads them once. */
const systemServersMs = seconds(30)

/** A server may send thousands; a dial would never come to them, and each is kept. */
const maxAddresses = 16

const answerByCode: ReadonlyMap<string, FamilyAnswer> = new Map([
  ['ENOTFOUND', { kind: 'none' }],
  ['ENODATA', { kind: 'none' }],
  ['ETIMEOUT', { kind: 'timeout' }],
])

/** Throws `PerimeterError` RF_SETTINGS for a name server that is not an address. */
export function createDnsQueries(options: DnsQueriesOptions): DnsQueries {
  const { nameservers, timeoutMs, now } = options
  let resolver = newResolver()
  let madeAt = now()

  function newResolver(): dns.Resolver {
    const made = new dns.Resolver({ timeout: Math.ceil(timeoutMs / sharesOfTries), tries })
    try {
      if (nameservers.length > 0) made.setServers(nameservers)
    } catch (cause) {
      const list = nameservers.join('`, `')
      throw new PerimeterError('RF_SETTINGS', `not all name servers are addresses: \`${list}\``, {
        cause,
      })
    }
    return made
  }

  function currentResolver(): dns.Resolver {
    if (nameservers.length === 0 && now() - madeAt > systemServersMs) {
      resolver = newResolver()
      madeAt = now()
    }
    return resolver
  }

  return {
    async ask(name, type) {
      try {
        const asked = currentResolver()
        const records = await (type === 'A'
          ? asked.resolve4(name, { ttl: true })
          : asked.resolve6(name, { ttl: true }))
        return answerOf(records)
      } catch (error) {
        return answerByCode.get(codeOf(error)) ?? { kind: 'failed' }
      }
    },
  }
}

/** The first of them. Addresses that do not parse in their plain form (zone ids among them) are left out. */
function answerOf(records: readonly { address: string; ttl: number }[]): FamilyAnswer {
  const addresses: IpAddress[] = []
  let ttl = Infinity
  for (const record of records) {
    const address = parseAddress(record.address)
    if (address === undefined) continue
    if (addresses.length < maxAddresses) addresses.push(address)
    ttl = Math.min(ttl, record.ttl)
  }
  return addresses.length === 0
    ? { kind: 'none' }
    : { kind: 'addresses', addresses, ttlMs: seconds(ttl) }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
