import { runInSlices } from '../transport/slices.ts'
import type { IpAddress } from '../wire/address.ts'
import { type Authority, formatAuthority } from '../wire/authority.ts'
import type { OriginConnection } from './undici.ts'

/**
 * Idle connections to destinations. What one is for is part of its key: the version of the policy that vetted its
 * address, the host and the port, never the address, or a name would get what another name was allowed.
 */

export interface Pooled {
  readonly connection: OriginConnection
  readonly key: string
  readonly version: string
  /** The vetted address that it leads to. */
  readonly address: IpAddress | undefined
}

export interface PoolLimits {
  /** Idle connections to one destination. */
  readonly perDestination: number
  /** Idle connections together. */
  readonly total: number
}

/** Idle connections end themselves after 4 s; these only bound a burst. */
const defaultLimits: PoolLimits = { perDestination: 32, total: 512 }

/** The scheme is always http: what is encrypted goes through CONNECT and is never pooled. */
export function poolKey(version: string, destination: Authority): string {
  return `${version} http ${formatAuthority(destination)}`
}

export class ConnectionPool {
  readonly #limits: PoolLimits
  /** The last of a list was used last, and is taken first: it is the least likely to be closed. */
  readonly #idle = new Map<string, Pooled[]>()
  #size = 0
  #closed = false

  constructor(limits: PoolLimits = defaultLimits) {
    this.#limits = limits
  }

  /** Idle connections. */
  get size(): number {
    return this.#size
  }

  /** Takes an idle connection; the caller gives it back or destroys it. */
  take(key: string): Pooled | undefined {
    for (;;) {
      const pooled = this.#idle.get(key)?.at(-1)
      if (pooled === undefined) return undefined
      this.#remove(pooled)
      if (!pooled.connection.isGone) return pooled
      pooled.connection.destroy()
    }
  }

  /** Takes back one that has nothing under way. What is too many, gone or closed is destroyed. */
  give(pooled: Pooled): void {
    const { connection, key } = pooled
    const idle = this.#idle.get(key) ?? []
    const isFull = idle.length >= this.#limits.perDestination || this.#size >= this.#limits.total
    if (this.#closed || isFull || connection.isGone) {
      connection.destroy()
      return
    }
    connection.onGone = () => void this.#remove(pooled)
    this.#idle.set(key, [...idle, pooled])
    this.#size++
  }

  /**
   * Destroys every idle connection that another version than this one vetted; resolves when that is done. It takes its
   * time so that the loop keeps serving: `take` never gives one out meanwhile, for the version is part of the key.
   */
  async retireAllBut(version: string | undefined): Promise<void> {
    const retired = [...this.#idle.values()].flat().filter((pooled) => pooled.version !== version)
    await runInSlices(() => {
      const pooled = retired.pop()
      if (pooled === undefined) return 'done'
      this.#discard(pooled)
      return 'dear'
    })
  }

  /** Destroys what is idle and, from now on, what is given back. */
  close(): void {
    this.#closed = true
    for (const pooled of [...this.#idle.values()].flat()) this.#discard(pooled)
  }

  /** Destroys it unless somebody has taken it. */
  #discard(pooled: Pooled): void {
    if (this.#remove(pooled)) pooled.connection.destroy()
  }

  /** False: it was not idle. */
  #remove(pooled: Pooled): boolean {
    const idle = this.#idle.get(pooled.key)
    if (idle === undefined || !idle.includes(pooled)) return false
    pooled.connection.onGone = undefined
    this.#size--
    const rest = idle.filter((one) => one !== pooled)
    if (rest.length === 0) this.#idle.delete(pooled.key)
    else this.#idle.set(pooled.key, rest)
    return true
  }
}
