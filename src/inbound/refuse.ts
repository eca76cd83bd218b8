import type { IncomingMessage, ServerResponse } from 'node:http'
import { prefersHtml } from '../wire/accept.ts'
import { type RefusalReason, renderRawRefusal, renderRefusal, statusOf } from '../wire/refusal.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { type Connection, closeGently } from './connection.ts'

export interface RefuseOptions {
  readonly reason: RefusalReason
  /** Where it is finer than the reason's own. */
  readonly status?: number | undefined
  readonly correlationId: string
  /** Nothing more is read from this connection. */
  readonly isLast: boolean
}

/** Answers a request with a refusal, in its turn. An inbound refusal never says what policy there is. */
export function refuse(
  { request, response, connection }: Refusable,
  { reason, status, correlationId, isLast }: RefuseOptions,
): number {
  const html = prefersHtml(request.rawHeaders)
  const refusal = { reason, correlationId, html, ...(status === undefined ? {} : { status }) }
  const rendered = renderRefusal(refusal)
  if (isLast) {
    connection.isClosing = true
    connection.hasUnread = true
    response.shouldKeepAlive = false
  }
  response.writeHead(rendered.status, rendered.headers)
  response.end(rendered.body)
  request.resume()
  return rendered.status
}

export interface Refusable {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly connection: Connection
}

/**
 * The same where there is no response object: after an upgrade, or where no request could be read. Ends the connection.
 * Returns the status.
 */
export function refuseBare(
  connection: Connection,
  { reason, status, correlationId, rawHeaders }: BareRefusal,
): number {
  const html = prefersHtml(rawHeaders)
  const { stream } = connection
  connection.hasUnread = true
  const chosen = status ?? statusOf(reason)
  if (stream.writable) {
    stream.write(renderRawRefusal({ reason, correlationId, html, status: chosen }))
  }
  closeGently(connection)
  return chosen
}

export interface BareRefusal extends Omit<RefuseOptions, 'isLast'> {
  readonly rawHeaders: RawHeaders
}
