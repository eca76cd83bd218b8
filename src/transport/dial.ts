import { Socket } from 'node:net'
import type { FailureReason } from '../reasons.ts'
import type { IpAddress } from '../wire/address.ts'
import type { CancelSignal } from './cancellation.ts'
import { sharedDeadlines } from './deadlines.ts'
import { IntakeSocket } from './intake-socket.ts'
import { SharedReadSocket } from './relay/shared-read-socket.ts'
import { monotonicNow } from './slices.ts'

export type Dialled =
  | { readonly kind: 'connected'; readonly socket: Socket; readonly address: IpAddress }
  | { readonly kind: 'failed'; readonly reason: FailureReason }

/** What reads bytes through memory that is not the socket's own. */
export type ReadBy = 'tunnel' | 'relay'

export interface DialRequest {
  /** Vetted, in order of preference; tried one after the other. */
  readonly addresses: readonly IpAddress[]
  readonly port: number
  /** For all attempts together. */
  readonly timeoutMs: number
  readonly signal?: CancelSignal
  /** Who alone can read what it gives: an `IntakeSocket` or a `SharedReadSocket`. Absent: whoever likes. */
  readonly readBy?: ReadBy | undefined
}

/** Connects to the first address that answers. Never rejects; the caller owns the socket. */
export type Dial = (request: DialRequest) => Promise<Dialled>

type Attempt = Socket | FailureReason

/** The least an attempt is given, as long as there is that much: one lost SYN is sent again after 1 s, most need none. */
const minAttemptMs = 250

/** What a failure to connect is called. Everything else is `connect-failed`. */
const reasonByCode: ReadonlyMap<string, FailureReason> = new Map([
  ['ECONNREFUSED', 'connect-refused'],
  ['ETIMEDOUT', 'connect-timeout'],
])

/**
 * The socket that `Dial` hands over has TCP_NODELAY, `allowHalfOpen`, is paused, and keeps a silent error handler, so
 * that a failure before the caller attaches its own ends nothing but the socket: the caller sees it `destroyed`.
 * Each attempt has its share of the time left, so that a first address that swallows packets leaves time for the next.
 * An abort counts as `connect-failed`.
 */
export function createDial(): Dial {
  return async ({ addresses, port, timeoutMs, signal, readBy }) => {
    const until = monotonicNow() + timeoutMs
    let reason: FailureReason = 'connect-failed'
    for (const [index, address] of addresses.entries()) {
      const left = until - monotonicNow()
      if (left <= 0) return { kind: 'failed', reason: 'connect-timeout' }
      if (signal?.aborted === true) break
      const share = Math.min(left, Math.max(minAttemptMs, left / (addresses.length - index)))
      const attempt = await tryOne(address, { port, timeoutMs: share, signal, readBy })
      if (typeof attempt !== 'string') return { kind: 'connected', socket: attempt, address }
      reason = attempt
    }
    return { kind: 'failed', reason: signal?.aborted === true ? 'connect-failed' : reason }
  }
}

function makeSocket(readBy: ReadBy | undefined): Socket {
  if (readBy === 'tunnel') return new IntakeSocket()
  if (readBy === 'relay') return new SharedReadSocket()
  return new Socket({ noDelay: true, allowHalfOpen: true })
}

interface AttemptOptions {
  readonly port: number
  readonly timeoutMs: number
  readonly signal: CancelSignal | undefined
  readonly readBy?: ReadBy | undefined
}

function tryOne(address: IpAddress, options: AttemptOptions): Promise<Attempt> {
  const { port, timeoutMs, signal, readBy } = options
  return new Promise<Attempt>((resolve) => {
    const host = address.text
    const socket = makeSocket(readBy).connect({ host, port })
    const deadline = sharedDeadlines.watch({
      idleMs: Infinity,
      lifetimeMs: timeoutMs,
      onExpire: () => fail('connect-timeout'),
    })
    const abort = (): void => fail('connect-failed')

    function settle(attempt: Attempt): void {
      deadline.cancel()
      signal?.removeEventListener('abort', abort)
      resolve(attempt)
    }

    function fail(reason: FailureReason): void {
      socket.destroy()
      settle(reason)
    }

    socket.on('error', (error: NodeJS.ErrnoException) => {
      settle(reasonByCode.get(error.code ?? '') ?? 'connect-failed')
    })
    socket.once('connect', () => settle(socket))
    signal?.addEventListener('abort', abort, { once: true })
  })
}
