import { runInSlices } from '../transport/slices.ts'
import type { IpAddress } from '../wire/address.ts'
import { formatAuthority } from '../wire/authority.ts'
import type { Admitted, Asked } from './verdict.ts'

/**
 * Idle connections to destinations. What one is for is part of its key: the version of the policy that vetted its
 * address, the member that asks, the host and the port, never the address, or a name would get what another name was allowed.
 */

/** What a pool keeps. */
export interface Keepable {
  /** It cannot be used any more. */
  readonly isGone: boolean
  /** Called once it is, by itself. */
  onGone: (() => void) | undefined
  destroy(): void
}

export interface Pooled<Connection extends Keepable> {
  readonly connection: Connection
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
const defaultLimits: PoolLimits = { perDestination: 256, total: 1024 }

/**
 * The scheme is always http: what is encrypted goes through CONNECT and is never pooled. THREAT: a server that takes the
 * connection for the client (NTLM) must not take one member for another; and a stream to an instance that asks who sends has
 * said at its start for which client it is.
 */
export function poolKey(
  { inForce, resource, route }: Pick<Admitted, 'inForce' | 'resource' | 'route'>,
  { destination, peer }: Asked,
): string {
  const key = `${inForce.version} ${resource.id.key} http ${formatAuthority(destination)}`
  if (route.kind !== 'peer' || route.tls === undefined) return key
  return `${key} for ${peer?.text ?? 'a Unix socket'}`
}

export class ConnectionPool<Connection extends Keepable> {
  readonly #limits: PoolLimits
  /** The last of a list was used last, and is taken first: it is the least likely to be closed. */
  readonly #idle = new Map<string, Pooled<Connection>[]>()
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
  take(key: string): Pooled<Connection> | undefined {
    const idle = this.#idle.get(key)
    for (let pooled = idle?.pop(); pooled !== undefined; pooled = idle?.pop()) {
      this.#size--
      if (!pooled.connection.isGone) return pooled
      pooled.connection.destroy()
    }
    this.#idle.delete(key)
    return undefined
  }

  /** Takes back one that has nothing under way. What is too many, gone or closed is destroyed. */
  give(pooled: Pooled<Connection>): void {
    const { connection, key } = pooled
    const idle = this.#idle.get(key) ?? []
    const isFull = idle.length >= this.#limits.perDestination || this.#size >= this.#limits.total
    if (this.#closed || isFull || connection.isGone) {
      connection.destroy()
      return
    }
    // Once for as long as it lives: it may be given back a thousand times.
    pooled.connection.onGone ??= () => void this.#remove(pooled)
    if (idle.push(pooled) === 1) this.#idle.set(key, idle)
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
  #discard(pooled: Pooled<Connection>): void {
    if (this.#remove(pooled)) pooled.connection.destroy()
  }

  /** False: it was not idle. */
  #remove(pooled: Pooled<Connection>): boolean {
    const idle = this.#idle.get(pooled.key)
    const index = idle?.indexOf(pooled) ?? -1
    if (idle === undefined || index === -1) return false
    this.#size--
    idle.splice(index, 1)
    if (idle.length === 0) this.#idle.delete(pooled.key)
    return true
  }
}
