import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Limits, Timeouts } from '../settings/settings.ts'
import { type Deadline, sharedDeadlines } from '../transport/deadlines.ts'
import { KiB, seconds } from '../units.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { http2ErrorCode } from '../wire/http2-error-code.ts'
import type { Connection } from './connection.ts'
import { createAllowance } from './http2-allowance.ts'

/** HTTP/2 on one connection of a client: its streams, its limits, its end. Knows nothing of what is asked. */
export interface ClientSession {
  /** Tells the client that no further stream is taken; those that are open go on to their end. */
  finish(): void
  /** A stream was given up, or broken, before its answer was whole. */
  givenUp(): void
}

export interface ClientSessionOptions {
  readonly connection: Connection
  readonly limits: Limits
  readonly timeouts: Timeouts
  readonly onStream: (arrived: ArrivedStream) => void
  /** It is over, because of what the client sent. Once at most. */
  readonly onBroken: (fault: SessionFault) => void
  /** Milliseconds from an arbitrary start. */
  readonly now: () => number
}

export interface ArrivedStream {
  readonly stream: ServerHttp2Stream
  /** As they came, pseudo-headers included. */
  readonly rawHeaders: RawHeaders
  readonly endsStream: boolean
}

export interface SessionFault {
  readonly reason: 'bad-request' | 'limit'
  /** A fixed phrase for the log. */
  readonly detail: string
}

const endStream = 0x1

/**
 * Streams that a client gives up before they are answered (CVE-2023-44487), or breaks so that we must (CVE-2025-8671):
 * each has cost a decision, a record and a connection to a back end. Browsers that leave a page give up a hundred.
 */
const resets = { burst: 400, perSecond: 30 } as const

/** PING and SETTINGS want an answer each. gRPC measures its connection with several PINGs a second. */
const controlFrames = { burst: 1000, perSecond: 100 } as const

/**
 * A head is refused with an answer and a record as long as Node hands it over at all. Beyond, it resets the stream
 * without a word; this is as much as its library keeps of one head.
 */
const maxHeadBytes = 64 * KiB
const countAllowance = 200

/** Frames that break a rule without breaking the session, empty ones among them (CVE-2019-9518). */
const maxSessionInvalidFrames = 100

/** For a client to read the last answer and the reason. */
const lingerMs = seconds(5)

/** Takes over a connection that has agreed on HTTP/2. */
export function openClientSession(options: ClientSessionOptions): ClientSession {
  const { connection, timeouts, now } = options
  const { stream: socket } = connection
  const session = handshake(options)
  const resetAllowance = createAllowance({ ...resets, now })
  const controlAllowance = createAllowance({ ...controlFrames, now })
  let open = 0
  let isBroken = false
  let idle: Deadline | undefined = watchIdle(timeouts.headerMs)

  /** Nothing is asked: like a connection between two requests. PINGs keep nobody alive. */
  function watchIdle(idleMs: number): Deadline {
    return sharedDeadlines.watch({ idleMs, lifetimeMs: Number.POSITIVE_INFINITY, onExpire: finish })
  }

  function finish(): void {
    if (session.closed || session.destroyed) return
    session.close()
    if (open === 0) linger()
  }

  /** Node waits for the client's end; not for ever. */
  function linger(): void {
    idle?.cancel()
    idle = sharedDeadlines.watch({
      idleMs: lingerMs,
      lifetimeMs: lingerMs,
      onExpire: () => socket.destroy(),
    })
  }

  function breakOff(fault: SessionFault): void {
    if (isBroken) return
    isBroken = true
    options.onBroken(fault)
    session.destroy(new Error(fault.detail), http2ErrorCode.enhanceYourCalm)
  }

  function countControl(): void {
    if (!controlAllowance.take()) {
      breakOff({ reason: 'limit', detail: 'too many HTTP/2 control frames' })
    }
  }

  session.on('stream', (stream, _headers, flags, rawHeaders) => {
    stream.on('error', ignore)
    open++
    idle?.cancel()
    idle = undefined
    stream.once('close', () => {
      open--
      if (open > 0 || session.destroyed) return
      if (session.closed) linger()
      else idle = watchIdle(timeouts.keepAliveMs)
    })
    options.onStream({
      stream,
      rawHeaders: rawHeaders ?? [],
      endsStream: (flags & endStream) !== 0,
    })
  })
  session.on('ping', countControl)
  session.on('remoteSettings', countControl)
  session.on('error', (error: Error) => {
    // What the system says of the connection is no fault of what was sent on it.
    if (isBroken || !isProtocolError(error)) return
    isBroken = true
    options.onBroken({ reason: 'bad-request', detail: 'not valid HTTP/2' })
  })
  // A half-closed connection is none to HTTP/2: nobody can say how much of an answer was taken. Node waits for its streams.
  socket.once('end', () => socket.destroy())
  session.once('close', () => {
    idle?.cancel()
    socket.destroy()
  })

  return {
    finish,
    givenUp() {
      // With the connection all of them end at once.
      if (socket.destroyed || session.destroyed) return
      if (!resetAllowance.take()) {
        breakOff({ reason: 'limit', detail: 'too many streams given up' })
      }
    },
  }
}

function handshake({ connection, limits }: ClientSessionOptions): ServerHttp2Session {
  // Takes its time to load, and most listeners never need it.
  const { performServerHandshake } = process.getBuiltinModule('node:http2')
  return performServerHandshake(connection.stream, {
    settings: {
      maxConcurrentStreams: limits.concurrentStreams,
      maxHeaderListSize: Math.max(limits.headerBytes, maxHeadBytes),
    },
    maxHeaderListPairs: limits.headerCount + countAllowance,
    maxSessionInvalidFrames,
    // A padded value is handed over and refused with an answer and a record: else it would be taken out in silence.
    strictFieldWhitespaceValidation: false,
    // What a back end says twice is its own affair, as over HTTP/1.1.
    strictSingleValueFields: false,
  })
}

/** Node names what its library finds wrong so; errors of the system have names of their own. */
function isProtocolError(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && error.code.startsWith('ERR_HTTP2')
}

function ignore(): void {}
