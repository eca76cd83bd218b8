import { seconds } from '../../units.ts'
import type { UpstreamSource } from './forwarding.ts'
import { connectUpstream, type Upstream, type UpstreamAddress } from './upstream.ts'

/**
 * Idle connections are given up early: a back end that closes one just as the next request arrives costs that request,
 * and 5 s is the shortest default in use (Node's own).
 */
const idleMs = seconds(4)

/** How long a connection may rest, when the back end says that it keeps it for so long (RFC 2068 19.7.1.1). */
export function restingMs(hintMs: number | undefined): number {
  return hintMs === undefined ? idleMs : Math.min(idleMs, hintMs - seconds(1))
}

/** Kept for one back end. As many requests as arrive at once still go out at once; what is beyond is closed after use. */
const maxIdle = 512

export interface UpstreamPoolOptions {
  readonly address: UpstreamAddress
  /** Milliseconds to connect, as in force when a connection is made. */
  readonly connectMs: () => number
}

/** Connections to one back end: the one that was used last is used next, the others grow old and go. */
export class UpstreamPool implements UpstreamSource {
  readonly #options: UpstreamPoolOptions
  readonly #idle: Upstream[] = []
  readonly #all = new Set<Upstream>()
  #session: Buffer | undefined

  constructor(options: UpstreamPoolOptions) {
    this.#options = options
  }

  /** Connections that are open, idle ones included. */
  get open(): number {
    return this.#all.size
  }

  /** An idle connection, or one that is being made. The caller owns it. */
  take(): Upstream {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isGone) continue
      idle.wake()
      return idle
    }
    return this.fresh()
  }

  /** One of its own, for whoever cannot use one that was used before. */
  fresh(): Upstream {
    const { address, connectMs } = this.#options
    const upstream = connectUpstream({
      address,
      connectMs: connectMs(),
      session: this.#session,
      onSession: this.#keepSession,
    })
    upstream.onGone = () => this.#forget(upstream)
    this.#all.add(upstream)
    return upstream
  }

  /** Takes one back whose last answer was whole. */
  giveBack(upstream: Upstream, hintMs: number | undefined): void {
    const keptMs = restingMs(hintMs)
    if (keptMs <= 0 || this.#idle.length >= maxIdle || upstream.isGone) {
      upstream.destroy()
      return
    }
    upstream.rest(keptMs)
    this.#idle.push(upstream)
  }

  /** A second attempt is for a connection that was given up while it was idle: whoever was not reached is not there. */
  again(lost: Upstream): Upstream | 'none' {
    return lost.isReady ? this.fresh() : 'none'
  }

  destroy(): void {
    for (const upstream of this.#all) upstream.socket.destroy()
  }

  readonly #keepSession = (session: Buffer): void => {
    this.#session = session
  }

  #forget(upstream: Upstream): void {
    this.#all.delete(upstream)
    const index = this.#idle.indexOf(upstream)
    if (index !== -1) this.#idle.splice(index, 1)
  }
}
