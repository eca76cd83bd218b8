import type { ServerResponse } from 'node:http'
import { cut } from '../transport/cut.ts'
import { discardInput } from '../transport/discard.ts'
import type { Unreadable } from '../transport/relay/relay-connection.ts'
import { type Refusal, renderRawRefusal, renderRefusal } from '../wire/refusal.ts'
import { answerByAlert, answerSocket } from './answer.ts'
import type { ClientConnection } from './client-connections.ts'
import { Exchange } from './exchange.ts'
import type { ProxyContext } from './proxy-context.ts'
import { refuse, type Refusing } from './refusing.ts'
import { inTurn } from './turns.ts'

/** Refuses what is no single request: connections over the limit, requests too far ahead, bytes that cannot be read. */

/** Told in its turn, behind the answers to those before it; nothing more is read. */
export function refuseFurther(
  context: ProxyContext,
  connection: ClientConnection,
  response: ServerResponse,
): void {
  connection.isRefused = true
  const detail = 'requests without an answer'
  const refusal = recordUnread(context, connection, { reason: 'limit', detail })
  const { status, headers, body } = renderRefusal(refusal)
  response.on('error', ignore)
  response.shouldKeepAlive = false
  response.writeHead(status, headers)
  response.end(body)
  discardInput(connection.socket)
  connection.socket.pause()
}

/** Bytes that are no request, or not in time. */
export function refuseBroken(
  context: ProxyContext,
  broken: { connection: ClientConnection | undefined; code: string | undefined },
): void {
  const { connection, code } = broken
  if (connection === undefined || connection.isRefused) return
  const { socket, unanswered, latest } = connection
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  if (latest?.complete === false) {
    breakContent(context, { connection, code })
    return
  }
  const isLate = code === 'ERR_HTTP_REQUEST_TIMEOUT'
  // A connection on which nothing was ever asked: there is nothing to log.
  if (isLate && socket.bytesRead === 0) {
    socket.destroy()
    return
  }
  connection.isRefused = true
  if (unanswered.size > 0) discardInput(socket)
  inTurn(connection, () => {
    refuseUnread(context, connection, unreadables[unreadableBy.get(code ?? '') ?? 'malformed'])
  })
}

/** The content of the latest request ends early or is no content. */
function breakContent(
  context: ProxyContext,
  { connection, code }: { connection: ClientConnection; code: string | undefined },
): void {
  const { socket, unanswered } = connection
  connection.isRefused = true
  const request = [...unanswered.values()].at(-1)
  // It has had its answer: nobody asks for anything.
  if (request === undefined) {
    socket.destroy()
    return
  }
  if (code === endInsideContent) {
    // A clean end would make an answer look whole to a client that takes the end of the connection for its end (RFC 9112
    // 6.3); a refusal of ours is written and may go out.
    if (context.underWay.has(request)) cut(socket)
    else socket.destroySoon()
    return
  }
  discardInput(socket)
  request.end('client-invalid')
}

/** Node's parser, of a connection that the client has ended in order. */
const endInsideContent = 'HPE_INVALID_EOF_STATE'

/** The ways in which a request may fail to be one. */
const unreadables = {
  malformed: { reason: 'bad-request', detail: 'not a valid HTTP request' },
  http2: { reason: 'bad-request', detail: 'HTTP/2 that was not agreed on' },
  'too-slow': {
    reason: 'bad-request',
    status: 408,
    detail: 'the request head did not arrive in time',
    message: 'the head of the request did not arrive in time',
  },
  'too-large': {
    reason: 'bad-request',
    status: 431,
    detail: 'the request head is too large',
    message: 'the head of the request is larger than this proxy allows',
  },
} as const satisfies Record<Unreadable, Unread>

/** What Node's parser gave up on. */
const unreadableBy: ReadonlyMap<string, Unreadable> = new Map<string, Unreadable>([
  ['ERR_HTTP_REQUEST_TIMEOUT', 'too-slow'],
  ['HPE_HEADER_OVERFLOW', 'too-large'],
])

/** Refuses a connection whose request has not been read. */
export function refuseUnread(
  context: ProxyContext,
  connection: ClientConnection,
  refusing: Unread,
): void {
  const { isTls = false, ...more } = refusing
  const refusal = recordUnread(context, connection, more)
  if (isTls) answerByAlert(connection.socket, refusal.reason)
  else answerSocket(connection.socket, refusal)
}

type Unread = Pick<Refusing, 'detail' | 'message' | 'status'> & {
  /** It is told by an alert. */
  readonly isTls?: boolean
  readonly reason: 'limit' | 'bad-request'
}

function recordUnread(
  context: ProxyContext,
  connection: ClientConnection,
  refusing: Unread,
): Refusal {
  const { reason, ...more } = refusing
  const { peer } = connection
  const exchange = new Exchange(context.ports, {
    listener: context.listener,
    peer: peer.address,
    peerPort: peer.port,
    operationName: '',
  })
  const decision = exchange.deny(reason)
  const refusal = refuse(exchange, { ...more, decision, protocol: 'HTTP:TCP', html: false })
  exchange.close('complete', refusal.status)
  return refusal
}

/** The answer to bytes that the relay could not read; recorded. It is the last on its connection. */
export function refusalOfUnreadable(
  context: ProxyContext,
  connection: ClientConnection,
  why: Unreadable,
): Buffer {
  return renderRawRefusal(recordUnread(context, connection, unreadables[why]))
}

function ignore(): void {
  // Every end of a socket is seen by its 'close'.
}
