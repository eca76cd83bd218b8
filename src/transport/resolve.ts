import { LRUCache } from 'lru-cache'
import { seconds } from '../units.ts'
import type { IpAddress } from '../wire/address.ts'
import type { Hostname } from '../wire/hostname.ts'
import { NameTurns } from './name-turns.ts'
import { createDnsQueries, type FamilyAnswer } from './dns-query.ts'
import { monotonicNow } from './slices.ts'

export type Resolution =
  | { readonly kind: 'resolved'; readonly addresses: readonly IpAddress[] }
  | { readonly kind: 'failed'; readonly reason: 'dns-failed' | 'dns-timeout' }

/** Names to addresses. Asked only after the name is allowed. Never rejects. */
export interface Resolver {
  resolve(name: Hostname): Promise<Resolution>
}

export interface ResolverOptions {
  /** `address` or `address:port`; empty: the system's. */
  readonly nameservers: readonly string[]
  /** Fixed answers; such a name is never asked for. */
  readonly hosts: ReadonlyMap<Hostname, readonly IpAddress[]>
  /** For everything together: waiting for a turn, both questions, retries. */
  readonly timeoutMs: number
  /** Names asked for at a time; default 512, an eighth of them under one domain. Others wait within their `timeoutMs`. */
  readonly concurrency?: number
  /** Names that wait; default 4096, an eighth of them under one domain. Further ones count as timed out at once. */
  readonly maxWaiting?: number
  /** Milliseconds on a monotonic clock. */
  readonly now?: () => number
}

interface Cached {
  readonly resolution: Resolution
  readonly until: number
}

const defaultConcurrency = 512
const defaultMaxWaiting = 4096
const maxCached = 10_000
/** With all their addresses: a flood of names that each have many must not hold more. */
const maxCachedAddresses = 40_000

/** Answers count for their time to live, at most this long: a change of DNS must show soon. The guard vets each use. */
const maxPositiveMs = seconds(30)
/**
 * How long "no such name" counts, whatever time the server gives it (RFC 2308 5), which c-ares does not tell: so short that it
 * only keeps a client that asks in a loop from asking the server. Faults and time-outs are never kept.
 */
const negativeMs = seconds(2)
/** How long one family's answer waits for the other's (RFC 8305 section 3, "Resolution Delay"). */
const resolutionDelayMs = 50

const timedOut: Resolution = { kind: 'failed', reason: 'dns-timeout' }
const failed: Resolution = { kind: 'failed', reason: 'dns-failed' }

/**
 * IPv4 addresses come first: most networks that workloads run in carry nothing else, and a dial tries one after the
 * other. Throws `PerimeterError` RF_SETTINGS for a name server that is not an address.
 */
export function createResolver(options: ResolverOptions): Resolver {
  const { hosts, timeoutMs, now = monotonicNow } = options
  const { concurrency = defaultConcurrency, maxWaiting = defaultMaxWaiting } = options
  const queries = createDnsQueries({ nameservers: options.nameservers, timeoutMs, now })
  const cache = new LRUCache<Hostname, Cached>({
    max: maxCached,
    maxSize: maxCachedAddresses,
    sizeCalculation: ({ resolution }) =>
      resolution.kind === 'resolved' ? resolution.addresses.length : 1,
  })
  /** Whoever asks for a name that is being asked for shares the answer. */
  const underWay = new Map<Hostname, Promise<Resolution>>()
  const turns = new NameTurns({ atOnce: concurrency, waiting: maxWaiting })

  /** Settles once there is something to say; stays under way until both questions are through or time is up. */
  function lookUp(name: Hostname): Promise<Resolution> {
    const { promise: answer, resolve } = Promise.withResolvers<Resolution>()
    let first: FamilyAnswer | undefined
    let delay: NodeJS.Timeout | undefined
    let hasBegun = false
    const deadline = setTimeout(() => {
      // What has begun keeps its turn until its questions are through.
      if (!hasBegun) turn?.leave()
      leave(first?.kind === 'addresses' ? resolutionOf([first]) : timedOut)
    }, timeoutMs)

    function begin(): void {
      hasBegun = true
      void queries.ask(name, 'A').then(answered)
      void queries.ask(name, 'AAAA').then(answered)
    }

    function answered(given: FamilyAnswer): void {
      if (first === undefined) {
        first = given
        if (given.kind !== 'addresses') return
        delay = setTimeout(() => resolve(resolutionOf([given])), resolutionDelayMs)
        return
      }
      const answers = [first, given]
      const resolution = resolutionOf(answers)
      keep(name, { resolution, ms: keepMs(answers) })
      leave(resolution)
      turn?.leave()
    }

    function leave(resolution: Resolution): void {
      clearTimeout(deadline)
      clearTimeout(delay)
      // After the time was up another may be under way for the name.
      if (underWay.get(name) === answer) underWay.delete(name)
      resolve(resolution)
    }

    const turn = turns.enter(name, begin)
    if (turn === undefined) leave(timedOut)
    else underWay.set(name, answer)
    return answer
  }

  function keep(name: Hostname, { resolution, ms }: { resolution: Resolution; ms: number }): void {
    if (ms > 0) cache.set(name, { resolution, until: now() + ms })
  }

  function cached(name: Hostname): Resolution | undefined {
    const entry = cache.get(name)
    return entry !== undefined && entry.until > now() ? entry.resolution : undefined
  }

  return {
    async resolve(name) {
      const fixed = hosts.get(name)
      if (fixed !== undefined) return { kind: 'resolved', addresses: fixed }
      const known = cached(name)
      if (known !== undefined) return known
      return underWay.get(name) ?? lookUp(name)
    },
  }
}

function resolutionOf(answers: readonly FamilyAnswer[]): Resolution {
  const addresses = answers
    .flatMap((answer) => (answer.kind === 'addresses' ? answer.addresses : []))
    .toSorted((a, b) => a.bytes.length - b.bytes.length)
  if (addresses.length > 0) return { kind: 'resolved', addresses }
  return answers.some(({ kind }) => kind === 'timeout') ? timedOut : failed
}

/** 0: not at all. */
function keepMs(answers: readonly FamilyAnswer[]): number {
  const ttls = answers.flatMap((answer) => (answer.kind === 'addresses' ? [answer.ttlMs] : []))
  if (ttls.length > 0) return Math.min(maxPositiveMs, ...ttls)
  return answers.every(({ kind }) => kind === 'none') ? negativeMs : 0
}
