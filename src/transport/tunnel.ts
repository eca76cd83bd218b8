import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { CloseReason } from '../reasons.ts'
import { seconds } from '../units.ts'
import { closeGently } from './close-gently.ts'
import { cut } from './cut.ts'
import { type Deadline, type DeadlineTimes, sharedDeadlines } from './deadlines.ts'
import { freeWritten } from './free-written.ts'
import { IntakeSocket } from './intake-socket.ts'

/**
 * Two sockets joined byte for byte, with back-pressure and half-close both ways:
 *
 *   client ── bytesIn ──▶ upstream
 *   client ◀─ bytesOut ── upstream
 *
 * With a gate, what the client says first is held until somebody has read enough of it; the upstream may speak meanwhile.
 *
 * Whoever makes the sockets sets `allowHalfOpen: true` (`net.createServer`, `net.connect`, `tls.connect`; `node:http`
 * servers do): without it Node ends our side as soon as the peer ends its own, and the answer to a half-closed request
 * is lost.
 */

export interface TunnelOptions {
  /** Both are owned by the tunnel from here on: it destroys them. */
  readonly client: Duplex
  readonly upstream: Duplex
  /** Bytes that the client sent early, for the upstream; may be empty. */
  readonly clientHead: Buffer
  /** Bytes that the upstream sent early, for the client; may be empty. */
  readonly upstreamHead: Buffer
  /** Absent: everything passes. */
  readonly gate?: Gate | undefined
  readonly idleMs: number
  readonly lifetimeMs: number
  /** Called exactly once, when both are gone. */
  readonly onClose: (end: TunnelEnd) => void
}

/** Reads what a client says first. Undefined: that was not enough. None of these may throw. */
export interface Gate {
  /** More of it, in order; kept unchanged by the tunnel. */
  onBytes(bytes: Buffer): Opening | undefined
  /** The client says nothing more. */
  onEnd(): Opening
}

/** What becomes of what the client said, all of it, and of what follows. */
export type Opening =
  | { readonly kind: 'pass'; readonly bytes: Buffer }
  /** The client is told the last words, and the upstream hears nothing. */
  | { readonly kind: 'refuse'; readonly lastWords: Buffer; readonly closeReason: CloseReason }

export interface TunnelEnd {
  readonly bytesIn: number
  readonly bytesOut: number
  readonly closeReason: CloseReason
}

export interface Tunnel {
  /** From the upstream, so far. */
  readonly bytesOut: number
  /** Opens the gate without waiting for more. Does nothing where it is open. */
  open(opening: Opening): void
  /** Ends it at once, for this reason. A second call does nothing. */
  end(closeReason: CloseReason): void
}

/** One end of the tunnel. */
class Side {
  readonly stream: Duplex
  readonly reasonIfReset: CloseReason
  /** Bytes that came from it and were passed on. */
  bytes = 0
  /** It sends nothing more: its end has arrived, behind all its bytes. */
  ended = false
  /** Nothing can be written to it any more, after it had ended its own sending in order. */
  gone = false
  /** It was gone before all that was meant for it was written. */
  missedSome = false
  closed = false
  /** What it is paused for, to be freed when that is written. */
  waiting: Buffer | undefined
  /** Set as long as nothing of what it says is passed on. */
  gate: Gate | undefined

  constructor(stream: Duplex, reasonIfReset: CloseReason) {
    this.stream = stream
    this.reasonIfReset = reasonIfReset
  }

  /** Whether everything that the other side sent is written to this one. */
  get isServed(): boolean {
    return this.gone || this.stream.writableFinished
  }

  get isThrough(): boolean {
    return this.ended || this.gone
  }
}

/**
 * How long the other side may go on sending into the void after everything for it is written. Closing at once would
 * make the kernel answer its bytes with a reset, which can overtake the last of ours (RFC 9112 9.6 has the same case).
 */
const lingerMs = seconds(5)

/** Joins the two. Every handler is attached before this returns; `onClose` is never called before it returns. */
export function openTunnel(options: TunnelOptions): Tunnel {
  return new JoinedSides(options)
}

class JoinedSides implements Tunnel, DeadlineTimes {
  readonly idleMs: number
  readonly lifetimeMs: number
  readonly #client: Side
  readonly #upstream: Side
  readonly #onClose: TunnelOptions['onClose']
  #deadline: Deadline
  #closeReason: CloseReason | undefined
  #isReported = false

  constructor(options: TunnelOptions) {
    this.idleMs = options.idleMs
    this.lifetimeMs = options.lifetimeMs
    this.#onClose = options.onClose
    this.#client = new Side(options.client, 'client-reset')
    this.#upstream = new Side(options.upstream, 'backend-reset')
    this.#client.gate = options.gate
    this.#deadline = sharedDeadlines.watch(this)
    this.#join(this.#client, this.#upstream)
    this.#join(this.#upstream, this.#client)
    this.#start(this.#client, { to: this.#upstream, head: options.clientHead })
    this.#start(this.#upstream, { to: this.#client, head: options.upstreamHead })
  }

  get bytesOut(): number {
    return this.#upstream.bytes
  }

  open(opening: Opening): void {
    const from = this.#client
    if (from.gate === undefined || this.#closeReason !== undefined) return
    from.gate = undefined
    if (opening.kind === 'refuse') this.#refuse(opening)
    else if (opening.bytes.length > 0) this.#pass(opening.bytes, { from, to: this.#upstream })
  }

  onExpire(which: 'idle' | 'lifetime'): void {
    this.end(which === 'idle' ? 'tunnel-idle-timeout' : 'tunnel-lifetime')
  }

  end(reason: CloseReason): void {
    if (this.#closeReason !== undefined) return
    this.#closeReason = reason
    this.#deadline.cancel()
    const inOrder = reason === 'complete' || reason === 'client-closed'
    for (const { stream } of [this.#client, this.#upstream]) {
      if (inOrder) stream.destroy()
      else cut(stream)
    }
    this.#reportWhenClosed()
  }

  #join(from: Side, to: Side): void {
    from.stream.on('error', () => this.#lose(from, to))
    from.stream.on('close', () => {
      from.closed = true
      if (this.#closeReason === undefined) this.#lose(from, to)
      else this.#reportWhenClosed()
    })
    if (!(from.stream instanceof IntakeSocket)) {
      from.stream.on('data', (chunk: Buffer) => {
        if (from.gate === undefined) this.#pass(chunk, { from, to })
        else this.#hold(chunk, from.gate)
      })
    }
    from.stream.on('end', () => {
      from.ended = true
      if (from.gate !== undefined) this.open(from.gate.onEnd())
      if (from.stream instanceof IntakeSocket) from.stream.leaveBulk()
      if (!to.gone) to.stream.end()
      this.#settle()
    })
    to.stream.on('drain', () => {
      this.#deadline.touch()
      if (from.waiting !== undefined) freeWritten(from.waiting, to.stream)
      from.waiting = undefined
      from.stream.resume()
    })
    to.stream.on('finish', () => {
      // Where our side was ended without us (`allowHalfOpen` not set), no 'drain' follows a refused write.
      from.stream.resume()
      this.#settle()
    })
  }

  /** Early bytes first; then whatever had already happened to the stream while nobody looked, for its events are spent. */
  #start(from: Side, { to, head }: { to: Side; head: Buffer }): void {
    const { stream } = from
    from.closed = stream.closed
    from.ended = stream.readableEnded
    if (stream instanceof Socket) stream.setTimeout(0)
    if (stream instanceof IntakeSocket) {
      stream.pourInto({ stream: to.stream, take: (bytes) => this.#take(bytes, { from, to }) })
    }
    stream.resume()
    if (head.length > 0 && from.gate !== undefined) this.#hold(head, from.gate)
    else if (head.length > 0) this.#pass(head, { from, to })
    if (from.ended && from.gate !== undefined) this.open(from.gate.onEnd())
    if (from.ended) to.stream.end()
    if (stream.destroyed) process.nextTick(() => this.#lose(from, to))
  }

  #hold(bytes: Buffer, gate: Gate): void {
    const opening = gate.onBytes(bytes)
    if (opening !== undefined) this.open(opening)
  }

  #pass(chunk: Buffer, { from, to }: { from: Side; to: Side }): void {
    if (!this.#take(chunk.length, { from, to })) return
    // Every read of a socket is memory of its own; what another stream passes on may be anybody's.
    const isOurs = from.stream instanceof Socket
    // A chunk as large as the mark is refused even where all of it went out.
    const isBelow = to.stream.write(chunk)
    const isOut = to.stream.writableLength === 0
    if (!isBelow && !isOut) {
      from.stream.pause()
      if (isOurs) from.waiting = chunk
    } else if (isOurs && isOut) freeWritten(chunk, to.stream)
  }

  #refuse({ lastWords, closeReason }: Extract<Opening, { kind: 'refuse' }>): void {
    this.#closeReason = closeReason
    this.#deadline.cancel()
    this.#upstream.stream.destroy()
    const { stream } = this.#client
    if (stream.writable) stream.write(lastWords)
    closeGently(stream)
    this.#reportWhenClosed()
  }

  /** Whether bytes that came are to be passed on. */
  #take(bytes: number, { from, to }: { from: Side; to: Side }): boolean {
    if (to.gone || this.#closeReason !== undefined) return false
    this.#deadline.touch()
    from.bytes += bytes
    return true
  }

  /**
   * An end before the peer's own end is a reset, whatever it looks like on the wire: the bytes are cut short. After its
   * own end it has only gone away, and what it sent still arrives: a client may close right after its last byte.
   */
  #lose(lost: Side, other: Side): void {
    if (this.#closeReason !== undefined || lost.gone) return
    if (!lost.ended) {
      // Without an error somebody on our side destroyed it, or the stream is none that can tell.
      const wasClosed = lost === this.#client && lost.stream.errored === null
      this.end(wasClosed ? 'client-closed' : lost.reasonIfReset)
      return
    }
    // Otherwise both of its directions are through, and Node has closed it by itself.
    lost.missedSome = !lost.isServed
    lost.gone = true
    lost.stream.destroy()
    other.stream.resume()
    this.#settle()
  }

  #settle(): void {
    if (this.#closeReason !== undefined) return
    if (!this.#client.isServed || !this.#upstream.isServed) return
    const reason = this.#client.missedSome ? 'client-closed' : 'complete'
    if (this.#client.isThrough && this.#upstream.isThrough) {
      this.end(reason)
      return
    }
    this.#deadline.cancel()
    this.#deadline = sharedDeadlines.watch({
      idleMs: lingerMs,
      lifetimeMs: lingerMs,
      onExpire: () => this.end(reason),
    })
  }

  #reportWhenClosed(): void {
    if (this.#closeReason === undefined || this.#isReported) return
    if (!this.#client.closed || !this.#upstream.closed) return
    this.#isReported = true
    this.#onClose({
      bytesIn: this.#client.bytes,
      bytesOut: this.#upstream.bytes,
      closeReason: this.#closeReason,
    })
  }
}
