import type { Duplex } from 'node:stream'
import type { Delivery } from '../identity/caller.ts'
import type { ShownCertificate } from '../identity/client-certificate.ts'
import type { CloseReason } from '../reasons.ts'
import { closeGently as closeStreamGently, closeWritten } from '../transport/close-gently.ts'
import { discardInput } from '../transport/discard.ts'
import type { IpAddress } from '../wire/address.ts'
import type { ProxyHeader } from '../wire/proxy-protocol.ts'

/** A connection of a client, from its first byte to its last. */
export interface Connection {
  /** What speaks HTTP: a TCP socket, the TLS over it, or a stream from the outbound side. */
  readonly stream: Duplex
  readonly isSecure: boolean
  readonly delivery: Delivery | undefined
  /** As they were when it was accepted: a socket forgets them when its peer is gone. */
  readonly peer: IpAddress | undefined
  readonly peerPort: number | undefined
  /** Where the peer had to send a PROXY header. */
  readonly proxied: ProxyHeader | undefined
  /** Once the handshake is over, where the client was asked for one. */
  certificate: ShownCertificate | undefined
  /** It came when there were enough already: its first request is answered and it is closed. */
  readonly isTooMany: boolean
  /** A request has arrived on it. */
  hasSpoken: boolean
  /** No further request is taken. */
  isDeaf: boolean
  /** The last answer is on its way: whatever else arrives is not looked at. */
  isClosing: boolean
  /** There may be more to read that nobody will: closing at once would let the kernel reset the answer away. */
  hasUnread: boolean
  /** The request that is being served. */
  current: Turn | undefined
  /** Requests that arrived behind it. */
  readonly waiting: Turn[]
  /** Requests that came although no further one is taken. */
  ignored: number
  /** What is left to say after the last of them. */
  afterLast: (() => void) | undefined
}

/** No client pipelines more; one that does is told to stop. */
const maxWaiting = 32

/** A request that is served, or waits to be. */
export interface Turn {
  start(): void
  /** What follows is not HTTP. Whether that broke this request, which is then answered; else it had arrived whole. */
  breakOff(): boolean
  /** The client takes more again, where Node has ceased to say so by itself. */
  resume(): void
  /** The connection cannot go on: cuts it, for this reason. */
  cutOff(closeReason: CloseReason): void
}

/**
 * Requests of one connection are served one after the other: a pipelined request must not start before the answers in
 * front of it are out, or one connection could have as many requests at a back end as it has bytes in its buffer.
 */
export function takeTurn(connection: Connection, turn: Turn): boolean {
  if (connection.current === undefined) {
    connection.current = turn
    turn.start()
    return true
  }
  if (connection.waiting.length >= maxWaiting) return false
  connection.waiting.push(turn)
  return true
}

/** The request is answered; the next may start. */
export function endTurn(connection: Connection): void {
  connection.current = undefined
  if (connection.stream.destroyed) {
    connection.waiting.length = 0
    return
  }
  const next = connection.isClosing ? undefined : connection.waiting.shift()
  if (next !== undefined) {
    connection.current = next
    next.start()
    return
  }
  connection.afterLast?.()
  connection.afterLast = undefined
}

/**
 * Ends our side and lets the client read what was sent. With something left unread the connection lingers, else it is
 * destroyed as soon as everything is written, as Node would.
 */
export function closeGently(connection: Connection): void {
  const { stream, hasUnread } = connection
  connection.isClosing = true
  if (hasUnread) closeStreamGently(stream)
  else closeWritten(stream)
}

/**
 * Takes no further request: nothing more is read until the last answer is out.
 */
export function deafen(connection: Connection): void {
  if (connection.isDeaf) return
  connection.isDeaf = true
  discardInput(connection.stream)
  connection.stream.pause()
}

/** An answer went out before its request was read to the end: this connection has no next request. */
export function abandonUnread(connection: Connection): void {
  connection.hasUnread = true
  if (!connection.isClosing) closeGently(connection)
}
