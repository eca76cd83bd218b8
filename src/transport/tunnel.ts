import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { CloseReason } from '../reasons.ts'
import { seconds } from '../units.ts'
import { cut } from './cut.ts'
import { type Deadline, sharedDeadlines } from './deadlines.ts'

/**
 * Two sockets joined byte for byte, with back-pressure and half-close both ways:
 *
 *   client ── bytesIn ──▶ upstream
 *   client ◀─ bytesOut ── upstream
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
  readonly idleMs: number
  readonly lifetimeMs: number
  /** Called exactly once, when both are gone. */
  readonly onClose: (end: TunnelEnd) => void
}

export interface TunnelEnd {
  readonly bytesIn: number
  readonly bytesOut: number
  readonly closeReason: CloseReason
}

export interface Tunnel {
  /** Ends it at once, for this reason. A second call does nothing. */
  end(closeReason: CloseReason): void
}

/** One end of the tunnel. */
interface Side {
  readonly stream: Duplex
  /** Bytes that came from it and were passed on. */
  bytes: number
  /** It sends nothing more: its end has arrived, behind all its bytes. */
  ended: boolean
  /** Nothing can be written to it any more, after it had ended its own sending in order. */
  gone: boolean
  /** It was gone before all that was meant for it was written. */
  missedSome: boolean
  closed: boolean
  readonly reasonIfReset: CloseReason
}

/**
 * How long the other side may go on sending into the void after everything for it is written. Closing at once would
 * make the kernel answer its bytes with a reset, which can overtake the last of ours (RFC 9112 9.6 has the same case).
 */
const lingerMs = seconds(5)

/** Joins the two. Every handler is attached before this returns; `onClose` is never called before it returns. */
export function openTunnel(options: TunnelOptions): Tunnel {
  const client = side(options.client, 'client-reset')
  const upstream = side(options.upstream, 'backend-reset')
  let closeReason: CloseReason | undefined
  let reported = false

  let deadline: Deadline = sharedDeadlines.watch({
    idleMs: options.idleMs,
    lifetimeMs: options.lifetimeMs,
    onExpire: (which) => end(which === 'idle' ? 'tunnel-idle-timeout' : 'tunnel-lifetime'),
  })

  function join(from: Side, to: Side): void {
    from.stream.on('error', () => lose(from, to))
    from.stream.on('close', () => {
      from.closed = true
      if (closeReason === undefined) lose(from, to)
      else reportWhenClosed()
    })
    from.stream.on('data', (chunk: Buffer) => {
      if (to.gone || closeReason !== undefined) return
      deadline.touch()
      if (!pass(chunk, { from, to })) from.stream.pause()
    })
    from.stream.on('end', () => {
      from.ended = true
      if (!to.gone) to.stream.end()
      settle()
    })
    to.stream.on('drain', () => {
      deadline.touch()
      from.stream.resume()
    })
    to.stream.on('finish', () => {
      // Where our side was ended without us (`allowHalfOpen` not set), no 'drain' follows a refused write.
      from.stream.resume()
      settle()
    })
  }

  /** Early bytes first; then whatever had already happened to the stream while nobody looked, for its events are spent. */
  function start(from: Side, { to, head }: { to: Side; head: Buffer }): void {
    from.closed = from.stream.closed
    from.ended = from.stream.readableEnded
    if (from.stream instanceof Socket) from.stream.setTimeout(0)
    if (head.length === 0 || pass(head, { from, to })) from.stream.resume()
    if (from.ended) to.stream.end()
    if (from.stream.destroyed) process.nextTick(lose, from, to)
  }

  /**
   * An end before the peer's own end is a reset, whatever it looks like on the wire: the bytes are cut short. After its
   * own end it has only gone away, and what it sent still arrives: a client may close right after its last byte.
   */
  function lose(lost: Side, other: Side): void {
    if (closeReason !== undefined || lost.gone) return
    if (!lost.ended) {
      // Without an error somebody on our side destroyed it, or the stream is none that can tell.
      const wasClosed = lost === client && lost.stream.errored === null
      end(wasClosed ? 'client-closed' : lost.reasonIfReset)
      return
    }
    // Otherwise both of its directions are through, and Node has closed it by itself.
    lost.missedSome = !isServed(lost)
    lost.gone = true
    lost.stream.destroy()
    other.stream.resume()
    settle()
  }

  /** Whether everything that the other side sent is written to this one. */
  function isServed(to: Side): boolean {
    return to.gone || to.stream.writableFinished
  }

  function settle(): void {
    if (closeReason !== undefined || !isServed(client) || !isServed(upstream)) return
    const reason = client.missedSome ? 'client-closed' : 'complete'
    if ((client.ended || client.gone) && (upstream.ended || upstream.gone)) {
      end(reason)
      return
    }
    deadline.cancel()
    deadline = sharedDeadlines.watch({
      idleMs: lingerMs,
      lifetimeMs: lingerMs,
      onExpire: () => end(reason),
    })
  }

  function end(reason: CloseReason): void {
    if (closeReason !== undefined) return
    closeReason = reason
    deadline.cancel()
    const inOrder = reason === 'complete' || reason === 'client-closed'
    for (const { stream } of [client, upstream]) {
      if (inOrder) stream.destroy()
      else cut(stream)
    }
    reportWhenClosed()
  }

  function reportWhenClosed(): void {
    if (closeReason === undefined || !client.closed || !upstream.closed || reported) return
    reported = true
    options.onClose({ bytesIn: client.bytes, bytesOut: upstream.bytes, closeReason })
  }

  join(client, upstream)
  join(upstream, client)
  start(client, { to: upstream, head: options.clientHead })
  start(upstream, { to: client, head: options.upstreamHead })
  return { end }
}

function side(stream: Duplex, reasonIfReset: CloseReason): Side {
  return {
    stream,
    bytes: 0,
    ended: false,
    gone: false,
    missedSome: false,
    closed: false,
    reasonIfReset,
  }
}

/** Whether more may be written at once. */
function pass(chunk: Buffer, { from, to }: { from: Side; to: Side }): boolean {
  from.bytes += chunk.length
  return to.stream.write(chunk)
}
