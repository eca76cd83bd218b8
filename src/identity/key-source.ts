import { parseJwks, type PublicJwk } from '../wire/jwks.ts'
import { seconds } from '../units.ts'
import type { IssuerKeys, KeysAtUrl } from './token-issuer.ts'

/** The keys of an issuer as they are known now. One object as long as they are the same. */
export type KeySet = readonly PublicJwk[]

export interface KeySource {
  /** Those that may be used; undefined: there are none. Never rejects. */
  current(): KeySet | Promise<KeySet | undefined>
  /** Looks for newer ones, because a token names one that is not among them. Undefined: there are none. Never rejects. */
  renew(): Promise<KeySet | undefined>
}

/** The body of an answer with status 200. Bounded in size and time; rejects for everything else. */
export type FetchJwks = (url: string) => Promise<string>

export interface KeySourceOptions {
  readonly fetchJwks: FetchJwks
  /** Milliseconds from an arbitrary start, never going back. */
  readonly now: () => number
  /** Told why there are no newer keys. */
  readonly onProblem: (url: string, error: unknown) => void
}

/** An issuer that is back must not be kept waiting for as long as one that has answered. */
const retryMs = seconds(5)

export function createKeySource(keys: IssuerKeys, options: KeySourceOptions): KeySource {
  if (keys.kind === 'url') return new FetchedKeys(keys, options)
  return { current: () => keys.keys, renew: () => Promise.resolve(undefined) }
}

/**
 * Keys that are fetched when they are first needed, and then:
 *
 *   fetched ── refreshMs ──▶ used, and fetched anew meanwhile ── outageMs ──▶ none, until a fetch succeeds
 *
 * One fetch at a time, which all who need it wait for, and never two within the interval: tokens that name no known key
 * cost their senders nothing, and must cost the issuer nothing either.
 */
class FetchedKeys implements KeySource {
  readonly #at: KeysAtUrl
  readonly #options: KeySourceOptions
  #keys: KeySet | undefined
  #fetchedAt = 0
  #mayFetchAt = Number.NEGATIVE_INFINITY
  #fetching: Promise<KeySet | undefined> | undefined

  constructor(at: KeysAtUrl, options: KeySourceOptions) {
    this.#at = at
    this.#options = options
  }

  current(): KeySet | Promise<KeySet | undefined> {
    const { refreshMs, outageMs } = this.#at
    const age = this.#options.now() - this.#fetchedAt
    const keys = this.#keys
    if (keys === undefined || age >= refreshMs + outageMs) return this.renew()
    if (age >= refreshMs) void this.renew()
    return keys
  }

  renew(): Promise<KeySet | undefined> {
    if (this.#fetching !== undefined) return this.#fetching
    if (this.#options.now() < this.#mayFetchAt) return Promise.resolve(undefined)
    this.#fetching = this.#fetch().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetch(): Promise<KeySet | undefined> {
    const { fetchJwks, now, onProblem } = this.#options
    const { url, intervalMs } = this.#at
    try {
      const keys = parseJwks(await fetchJwks(url))
      if (keys === undefined) throw new Error('the answer holds no usable keys')
      this.#keys = keys
      this.#fetchedAt = now()
      this.#mayFetchAt = this.#fetchedAt + intervalMs
      return keys
    } catch (error) {
      this.#mayFetchAt = now() + Math.min(intervalMs, retryMs)
      onProblem(url, error)
      return undefined
    }
  }
}
