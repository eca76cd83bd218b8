import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { FailureReason } from '../reasons.ts'
import { type BackendPhase, failureReason } from '../transport/backend-failure.ts'
import { type Deadline, sharedDeadlines } from '../transport/deadlines.ts'
import { seconds } from '../units.ts'
import { http2ErrorCode } from '../wire/http2-error-code.ts'

/**
 * Connections over which a back end is spoken to in HTTP/2. By Node's own client: undici's has no trailers for a request,
 * and a stream that it gives up is never reset, so that the back end holds it open as long as the connection lives.
 */
export interface BackendSessionsOptions {
  /** Begins a connection that offers HTTP/2 alone, and verifies it. Whoever calls this owns it. */
  readonly connect: () => TLSSocket
  readonly phaseOf: (socket: TLSSocket) => BackendPhase
  readonly connectMs: () => number
}

/** Streams that one connection carries; a back end may want fewer. The next one opens another connection. */
const maxStreams = 100

/** As for connections of HTTP/1.1: given up before the back end does. */
const idleMs = seconds(4)

/** For a back end to take a reset. */
const lingerMs = seconds(5)

export class BackendSessions {
  readonly #options: BackendSessionsOptions
  readonly #sessions = new Set<BackendSession>()

  constructor(options: BackendSessionsOptions) {
    this.#options = options
  }

  /** One that takes another stream: the first that has room, or, if `isFresh`, one of its own. */
  take(isFresh: boolean): BackendSession {
    if (!isFresh) for (const session of this.#sessions) if (session.hasRoom) return session
    const session = new BackendSession(this.#options, () => this.#sessions.delete(session))
    this.#sessions.add(session)
    return session
  }
}

export class BackendSession {
  readonly #options: BackendSessionsOptions
  readonly #socket: TLSSocket
  readonly #session: ClientHttp2Session
  readonly #onGone: () => void
  #open = 0
  #isUsed = false
  #isRetired = false
  #isProbed = false
  #failure: FailureReason | undefined
  #idle: Deadline | undefined

  constructor(options: BackendSessionsOptions, onGone: () => void) {
    this.#options = options
    this.#onGone = onGone
    const socket = options.connect()
    this.#socket = socket
    const { connect } = process.getBuiltinModule('node:http2')
    const sessionOptions = {
      createConnection: () => socket,
      settings: { enablePush: false },
      // What a client says twice is said twice, as over HTTP/1.1. The types know it for servers only.
      strictSingleValueFields: false,
    }
    this.#session = connect('https://backend.invalid', sessionOptions)
    socket.on('error', (error) => this.#fail(failureReason(error, options.phaseOf(socket))))
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol === 'h2') return
      this.#fail('backend-invalid')
      socket.destroy()
    })
    // A back end that says nothing at all: Node does not close a session that its socket leaves.
    socket.once('end', () => socket.destroy())
    socket.once('close', () => this.#retire())
    this.#session.on('error', ignore)
    this.#session.once('goaway', () => this.#retire())
    this.#session.once('close', () => socket.destroy())
  }

  get hasRoom(): boolean {
    const { closed, destroyed, remoteSettings } = this.#session
    const room = Math.min(remoteSettings?.maxConcurrentStreams ?? maxStreams, maxStreams)
    return !this.#isRetired && !closed && !destroyed && this.#open < room
  }

  /** Whether streams were opened on it before: it may have been given up in the meantime. */
  get isUsed(): boolean {
    return this.#isUsed
  }

  /** Why streams on it failed, where it is not theirs alone. */
  get failure(): FailureReason | undefined {
    return this.#failure
  }

  /**
   * Opens a stream. One with a body waits for trailers, even where there are none: what is given up would else be ended
   * as if it were whole.
   */
  open(
    headers: OutgoingHttpHeaders,
    { hasBody }: { readonly hasBody: boolean },
  ): ClientHttp2Stream {
    const stream = this.#session.request(headers, { endStream: !hasBody, waitForTrailers: hasBody })
    this.#isUsed = true
    this.#open++
    this.#idle?.cancel()
    stream.once('close', () => {
      this.#open--
      if (this.#open === 0) this.#rest()
    })
    return stream
  }

  /** Gives a stream up. Says nothing more about it. */
  giveUp(stream: ClientHttp2Stream, hasAnswered: boolean): void {
    if (stream.destroyed) return
    stream.close(http2ErrorCode.cancel)
    if (!hasAnswered) this.#probe()
    const deadline = sharedDeadlines.watch({
      idleMs: lingerMs,
      lifetimeMs: lingerMs,
      onExpire: () => stream.destroy(),
    })
    stream.once('close', () => deadline.cancel())
  }

  #rest(): void {
    if (this.#isRetired) {
      this.#session.close()
      return
    }
    this.#idle = sharedDeadlines.watch({
      idleMs,
      lifetimeMs: idleMs,
      onExpire: () => {
        this.#retire()
        this.#session.close()
        this.#socket.destroy()
      },
    })
  }

  /** Somebody waited in vain: where the connection is dead, so would all that follow. */
  #probe(): void {
    const session = this.#session
    if (this.#isProbed || session.connecting || session.closed || session.destroyed) return
    this.#isProbed = true
    const deadline = sharedDeadlines.watch({
      idleMs: this.#options.connectMs(),
      lifetimeMs: Number.POSITIVE_INFINITY,
      onExpire: () => this.#socket.destroy(),
    })
    const over = (): void => {
      deadline.cancel()
      this.#isProbed = false
    }
    session.once('close', over)
    session.ping(() => {
      session.off('close', over)
      over()
    })
  }

  /** Takes no further stream. */
  #retire(): void {
    if (this.#isRetired) return
    this.#isRetired = true
    this.#onGone()
  }

  #fail(reason: FailureReason): void {
    this.#failure ??= reason
    this.#retire()
  }
}

function ignore(): void {}
