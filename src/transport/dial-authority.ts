import { lookup } from 'node:dns/promises'
import { type IpAddress, parseAddress } from '../wire/address.ts'
import type { Authority } from '../wire/authority.ts'
import type { Hostname } from '../wire/hostname.ts'
import type { CancelSignal } from './cancellation.ts'
import type { Dial, Dialled, ReadBy } from './dial.ts'
import { monotonicNow } from './slices.ts'

/**
 * Dials what the administrator wrote: back ends and endpoints of peers. Unlike a destination that a client names, such
 * a name means what this machine takes it to mean: the hosts file and search lists count, and there is no guard.
 */

export interface DialAuthorityRequest {
  readonly authority: Authority
  /** For the look-up and all attempts together. */
  readonly timeoutMs: number
  readonly signal?: CancelSignal
  /** As in `DialRequest`. */
  readonly readBy?: ReadBy | undefined
}

/** Never rejects; the caller owns the socket. */
export type DialAuthority = (request: DialAuthorityRequest) => Promise<Dialled>

type LookedUp = readonly IpAddress[] | 'dns-failed' | 'dns-timeout'

/** Asks the system for a name's addresses. May reject. */
export type SystemLookup = (name: Hostname) => Promise<readonly { readonly address: string }[]>

export interface DialAuthorityOptions {
  /** Whether this instance itself listens there; absent: it does not. */
  readonly isOwn?: (address: IpAddress, port: number) => boolean
  readonly askSystem?: SystemLookup
}

/** Where every address is one of ours, it is a `loop`. */
export function createDialAuthority(dial: Dial, options: DialAuthorityOptions = {}): DialAuthority {
  const { isOwn = () => false, askSystem = askLookup } = options
  const look = shareLookups(askSystem)
  return async ({ authority, timeoutMs, ...rest }) => {
    const { host, port } = authority
    const until = monotonicNow() + timeoutMs
    const found = host.kind === 'address' ? [host] : await look(host.name, timeoutMs)
    if (typeof found === 'string') return { kind: 'failed', reason: found }
    const addresses = found.filter((address) => !isOwn(address, port))
    if (addresses.length === 0) return { kind: 'failed', reason: 'loop' }
    return dial({ addresses, port, timeoutMs: until - monotonicNow(), ...rest })
  }
}

async function askLookup(name: Hostname): Promise<readonly { readonly address: string }[]> {
  return lookup(name, { all: true, order: 'verbatim' })
}

/**
 * A look-up occupies a thread of a small pool for as long as the system likes, and cannot be cancelled: whoever asks
 * for the same name meanwhile shares it.
 */
function shareLookups(
  askSystem: SystemLookup,
): (name: Hostname, timeoutMs: number) => Promise<LookedUp> {
  const underWay = new Map<Hostname, Promise<LookedUp>>()

  async function start(name: Hostname): Promise<LookedUp> {
    try {
      const found = await askSystem(name)
      const addresses = found.flatMap(({ address }) => parseAddress(address) ?? [])
      return addresses.length > 0 ? addresses : 'dns-failed'
    } catch {
      return 'dns-failed'
    } finally {
      underWay.delete(name)
    }
  }

  return async (name, timeoutMs) => {
    let shared = underWay.get(name)
    if (shared === undefined) {
      shared = start(name)
      underWay.set(name, shared)
    }
    const { promise: late, resolve } = Promise.withResolvers<LookedUp>()
    const timer = setTimeout(resolve, timeoutMs, 'dns-timeout')
    const found = await Promise.race([shared, late])
    clearTimeout(timer)
    return found
  }
}
