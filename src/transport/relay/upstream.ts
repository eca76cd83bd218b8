import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { KiB } from '../../units.ts'
import { type BackendPhase, connectDeadlineCode } from '../backend-failure.ts'
import { type Phased, sharedPhases } from '../phases.ts'

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

/** Everything that all connections of this thread read goes through here, to be looked at and copied at once. */
const sharedBuffer = Buffer.allocUnsafeSlow(64 * KiB)

/**
 * One connection to a back end:
 *
 *   user ── write ──▶ socket ──▶ back end
 *   user ◀─ onBytes ─ shared buffer ◀─ socket ◀── back end
 *
 * Owned by whoever has it: a user while it is in use, the pool while it is idle.
 */
export class Upstream implements Phased {
  readonly socket: Socket
  /** It has served a request before: it may be gone by the time the next arrives. */
  isReused = false
  user: UpstreamUser | undefined
  phase: BackendPhase
  dueAt: number
  #error: Error | undefined
  readonly #onGone: (upstream: Upstream) => void

  constructor(options: {
    readonly address: UpstreamAddress
    /** For name, connection and handshake together. */
    readonly connectMs: number
    /** A ticket of an earlier connection, to spare the handshake. */
    readonly session?: Buffer | undefined
    readonly onSession?: ((session: Buffer) => void) | undefined
    /** Called once, when it is closed, whoever had it. */
    readonly onGone: (upstream: Upstream) => void
  }) {
    const { address, connectMs, session, onSession, onGone } = options
    this.#onGone = onGone
    this.phase = isIP(address.host) === 0 ? 'resolving' : 'connecting'
    this.dueAt = sharedPhases.in(connectMs)
    const tcp = {
      host: address.host,
      port: address.port,
      noDelay: true,
      allowHalfOpen: true,
      onread: { buffer: sharedBuffer, callback: (length: number) => this.#read(length) },
    }
    this.socket =
      address.tls === undefined
        ? connectTcp(tcp)
        : connectTls(Object.assign(tcp, secureOptions(address.tls, session)))
    const { socket } = this
    socket.on('error', (error) => {
      this.#error = error
    })
    if (onSession !== undefined) socket.on('session', onSession)
    socket.on('lookup', (error: Error | null) => {
      if (error === null && this.phase === 'resolving') this.phase = 'connecting'
    })
    socket.once('connect', () => {
      if (address.tls === undefined) this.#ready()
      else this.phase = 'securing'
    })
    if (address.tls !== undefined) socket.once('secureConnect', () => this.#ready())
    socket.on('drain', () => this.user?.onDrain())
    socket.on('end', () => {
      // An idle one that the peer gives up is of no use any more.
      if (this.user === undefined) socket.destroy()
      else this.user.onEnd()
    })
    socket.once('close', () => this.#close())
    sharedPhases.add(this)
  }

  get isReady(): boolean {
    return this.phase === 'ready'
  }

  onDue(): void {
    this.dueAt = Number.POSITIVE_INFINITY
    if (this.isReady) {
      if (this.user === undefined) this.socket.destroy()
      return
    }
    this.socket.destroy(Object.assign(new Error('connect deadline'), { code: connectDeadlineCode }))
  }

  /** Nobody hears of it any more. */
  destroy(): void {
    this.user = undefined
    this.socket.destroy()
  }

  #ready(): void {
    this.phase = 'ready'
    this.dueAt = Number.POSITIVE_INFINITY
    this.user?.onReady()
  }

  #read(length: number): boolean {
    // Nobody asked an idle connection for anything: whatever it says belongs to no request.
    if (this.user === undefined) {
      this.socket.destroy()
      return false
    }
    return this.user.onBytes(sharedBuffer, length)
  }

  #close(): void {
    sharedPhases.remove(this)
    this.#onGone(this)
    const { user } = this
    this.user = undefined
    user?.onLost(this.#error)
  }
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
