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
    connection.onGone = () => this.#remove(pooled)
    this.#idle.set(key, [...idle, pooled])
    this.#size++
  }

  /** Destroys every idle connection that another version than this one vetted. */
  retireAllBut(version: string | undefined): void {
    for (const idle of this.#idle.values()) {
      for (const pooled of idle) {
        if (pooled.version === version) continue
        this.#remove(pooled)
        pooled.connection.destroy()
      }
    }
  }

  /** Destroys what is idle and, from now on, what is given back. */
  close(): void {
    this.#closed = true
    this.retireAllBut(undefined)
  }

  #remove(pooled: Pooled): void {
    const idle = this.#idle.get(pooled.key)
    if (idle === undefined || !idle.includes(pooled)) return
    pooled.connection.onGone = undefined
    this.#size--
    if (idle.length === 1) this.#idle.delete(pooled.key)
    else
      this.#idle.set(
        pooled.key,
        idle.filter((one) => one !== pooled),
      )
  }
}
