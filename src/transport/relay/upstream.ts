import { connect as connectTcp, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { type BackendPhase, connectDeadlineCode } from '../backend-failure.ts'
import { type Phased, sharedPhases } from '../phases.ts'
import { sharedBuffer, SharedReadSocket } from './shared-read-socket.ts'

/** Where a connection goes, and how. */
export interface UpstreamAddress {
  /** A name or an address, without brackets. */
  readonly host: string
  readonly port: number
  /** Set: TLS, verified against `ca` (PEM; absent: the system's authorities). An empty `servername` is none. */
  readonly tls?: { readonly servername: string; readonly ca?: string | undefined } | undefined
}

/** Who uses a connection at the moment. None of these may throw. */
export interface UpstreamUser {
  /** It may be written to. */
  onReady(): void
  /**
   * Bytes have come: the first `length` of a buffer that the next read overwrites. Nothing of it may be kept or written
   * uncopied. False: no more until `resume`.
   */
  onBytes(bytes: Buffer, length: number): boolean
  /** The peer sends nothing more. */
  onEnd(): void
  /** What was held back on the way to it has been written. */
  onDrain(): void
  /** It is gone. */
  onLost(error: Error | undefined): void
}

/**
 * One connection to a back end:
 *
 *   user ── write ──▶ socket ──▶ back end
 *   user ◀─ onBytes ─ shared buffer ◀─ socket ◀── back end
 *
 * Owned by whoever has it: a user while it is in use, a pool while it rests.
 */
export class Upstream implements Phased {
  readonly socket: Duplex
  /** It has served a request before: it may be gone by the time the next arrives. */
  isReused = false
  user: UpstreamUser | undefined
  phase: BackendPhase
  dueAt: number
  /** Called once, when it is closed, whoever had it. */
  onGone: (() => void) | undefined
  #error: Error | undefined

  /** `phase` is `ready` for a stream that is connected. The stream has an error handler, or gets one here. */
  constructor(socket: Duplex, given: { readonly phase: BackendPhase; readonly connectMs: number }) {
    this.socket = socket
    this.phase = given.phase
    this.dueAt =
      given.phase === 'ready' ? Number.POSITIVE_INFINITY : sharedPhases.in(given.connectMs)
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('drain', () => this.user?.onDrain())
    socket.on('end', () => {
      // A resting one that the peer gives up is of no use any more.
      if (this.user === undefined) socket.destroy()
      else this.user.onEnd()
    })
    socket.once('close', () => this.#close())
    sharedPhases.add(this)
  }

  get isReady(): boolean {
    return this.phase === 'ready'
  }

  /** It cannot be used any more. */
  get isGone(): boolean {
    return this.socket.destroyed || !this.socket.writable || !this.socket.readable
  }

  onDue(): void {
    this.dueAt = Number.POSITIVE_INFINITY
    if (!this.isReady) {
      const error = new Error('connect deadline')
      this.socket.destroy(Object.assign(error, { code: connectDeadlineCode }))
    } else if (this.user === undefined) {
      this.socket.destroy()
    }
  }

  /** Bytes have come, in the first `length` of the buffer. False: no more until the socket is resumed. */
  onRead(bytes: Buffer, length: number): boolean {
    // Nobody asked a resting connection for anything: whatever it says belongs to no request.
    if (this.user === undefined) {
      this.socket.destroy()
      return false
    }
    return this.user.onBytes(bytes, length)
  }

  becomeReady(): void {
    this.phase = 'ready'
    this.dueAt = Number.POSITIVE_INFINITY
    this.user?.onReady()
  }

  /** Nobody uses it; it is given up after so many milliseconds. */
  rest(milliseconds: number): void {
    this.user = undefined
    this.isReused = true
    this.dueAt = sharedPhases.in(milliseconds)
  }

  /** Somebody is about to use it. */
  wake(): void {
    this.dueAt = Number.POSITIVE_INFINITY
  }

  /** Nobody hears of it any more. */
  destroy(): void {
    this.user = undefined
    this.socket.destroy()
  }

  #close(): void {
    sharedPhases.remove(this)
    this.onGone?.()
    this.onGone = undefined
    const { user } = this
    this.user = undefined
    user?.onLost(this.#error)
  }
}

/** Over a stream that is connected already. */
export function upstreamOver(stream: Duplex): Upstream {
  const upstream = new Upstream(stream, { phase: 'ready', connectMs: 0 })
  if (stream instanceof SharedReadSocket) {
    stream.readBy((bytes, length) => upstream.onRead(bytes, length))
    return upstream
  }
  stream.on('data', (chunk: Buffer) => {
    if (!upstream.onRead(chunk, chunk.length)) stream.pause()
  })
  return upstream
}

export interface ConnectOptions {
  readonly address: UpstreamAddress
  /** For name, connection and handshake together. */
  readonly connectMs: number
  /** A ticket of an earlier connection, to spare the handshake. */
  readonly session?: Buffer | undefined
  readonly onSession?: ((session: Buffer) => void) | undefined
}

/** One that is being made. */
export function connectUpstream({
  address,
  connectMs,
  session,
  onSession,
}: ConnectOptions): Upstream {
  const { host, port, tls } = address
  const callback = (length: number): boolean => upstream.onRead(sharedBuffer, length)
  const onread = { buffer: sharedBuffer, callback }
  const tcp = { host, port, noDelay: true, allowHalfOpen: true, onread }
  const socket =
    tls === undefined
      ? connectTcp(tcp)
      : connectTls(Object.assign(tcp, secureOptions(tls, session)))
  const phase = isIP(host) === 0 ? 'resolving' : 'connecting'
  const upstream = new Upstream(socket, { phase, connectMs })
  if (onSession !== undefined) socket.on('session', onSession)
  socket.on('lookup', (error: Error | null) => {
    if (error === null && upstream.phase === 'resolving') upstream.phase = 'connecting'
  })
  socket.once('connect', () => {
    if (tls === undefined) upstream.becomeReady()
    else upstream.phase = 'securing'
  })
  if (tls !== undefined) socket.once('secureConnect', () => upstream.becomeReady())
  return upstream
}

function secureOptions(
  { servername, ca }: NonNullable<UpstreamAddress['tls']>,
  session: Buffer | undefined,
): ConnectionOptions {
  return {
    // Node would take the name to verify from `host` alone; literals are verified as addresses.
    servername,
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    ...(ca === undefined ? {} : { ca }),
    ...(session === undefined ? {} : { session }),
  }
}
