import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { seconds } from '../units.ts'
import { closeGently } from '../transport/close-gently.ts'
import {
  type Refusal,
  type RefusalReason,
  renderRawRefusal,
  renderRefusal,
} from '../wire/refusal.ts'
import { renderTlsAlert } from '../wire/tls-alert.ts'

/**
 * Answers that the proxy gives itself. A connection that is closed after one is read on for a moment: closing with
 * bytes unread resets it, and the client would lose the answer (RFC 9112 9.6).
 */

const lingerMs = seconds(2)

/** A whole answer on a bare socket, which ends with it. The socket has an error handler already. */
export function answerSocket(socket: Duplex, refusal: Refusal): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  socket.end(renderRawRefusal(refusal))
  linger(socket)
}

/** The same to a client that speaks TLS and knows of no proxy. */
export function answerByAlert(socket: Duplex, reason: RefusalReason): void {
  if (socket.writable) socket.write(renderTlsAlert(reason))
  closeGently(socket)
}

/** Reads on and discards until the other side is done or `lingerMs` have passed, then destroys. */
export function linger(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  socket.resume()
}

/** The client was answered in full before it had said all: it may say the rest for a moment. */
export function lingerFor(request: IncomingMessage): void {
  const timer = setTimeout(() => request.socket.destroy(), lingerMs)
  const settle = (): void => clearTimeout(timer)
  request.once('end', settle)
  request.once('close', settle)
  request.resume()
}

/**
 * Answers a request and leaves its connection open where nothing of the request is still to come; else closes it, but
 * not before the client had the chance to read the answer.
 */
export function answerRequest(
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
  refusal: Refusal,
): void {
  const { request, response } = exchange
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { status, headers, body } = renderRefusal(refusal)
  const rest = hasRest(request)
  response.writeHead(status, rest ? [...headers, 'connection', 'close'] : headers)
  if (!rest) {
    response.end(request.method === 'HEAD' ? undefined : body)
    return
  }
  // The answer is whole with its last byte; ending it is what closes the connection.
  if (request.method !== 'HEAD') response.write(body)
  const end = (): void => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, lingerMs)
  request.once('end', end)
  request.once('close', end)
  request.resume()
}

/** Whether content of the request has been announced and not arrived. */
function hasRest(request: IncomingMessage): boolean {
  if (request.complete) return false
  return (
    request.headers['transfer-encoding'] !== undefined ||
    (request.headers['content-length'] ?? '0') !== '0'
  )
}
