import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { headerValues, type RawHeaders, withoutHopByHop } from '../wire/headers.ts'
import type { OwnVia } from '../wire/via.ts'
import { linger } from './answer.ts'

/** WebSocket in absolute-form (RFC 6455 4.1). It is the one protocol that is switched to; every other offer is dropped. */

/** A connection that asks to be upgraded. Nobody reads it yet. */
export interface UpgradeArrival {
  readonly client: Duplex
  /** What followed the head in the same read: for the new protocol, and dropped unless it is switched to. */
  readonly head: Buffer
}

const webSocket = 'websocket'

/** Fields of the one upgrade that we ask for ourselves. */
export const webSocketFields: readonly string[] = ['connection', 'Upgrade', 'upgrade', webSocket]

/** Whether Node is to hand the connection over. HTTP/1.0 knows no Upgrade (RFC 9110 7.8). */
export function isWebSocketUpgrade({ method, httpVersion, rawHeaders }: IncomingMessage): boolean {
  return asksForWebSocket({ method, httpVersion, rawHeaders })
}

/** The same of the lines of a head whose Connection names `upgrade`. */
export function asksForWebSocket(lines: {
  readonly method: string | undefined
  readonly httpVersion: string
  readonly rawHeaders: RawHeaders
}): boolean {
  return (
    lines.method === 'GET' &&
    lines.httpVersion === '1.1' &&
    headerValues(lines.rawHeaders, 'upgrade').join(',').trim().toLowerCase() === webSocket
  )
}

/** A response on the handed-over connection, for everything but a switch; the connection ends with it. */
export function respondOn(request: IncomingMessage, client: Duplex): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  // An HTTP connection of ours is a net.Socket; only that much of it is used as every Duplex has.
  response.assignSocket(request.socket)
  response.once('finish', () => {
    response.detachSocket(request.socket)
    client.end()
    linger(client)
  })
  return response
}

/** The head of a 101 for the client; undefined where the destination switched to something else. */
export function renderSwitch(
  answer: IncomingMessage,
  more: { readonly correlationId: string; readonly via: OwnVia },
): string | undefined {
  const { rawHeaders } = answer
  if (headerValues(rawHeaders, 'upgrade').join(',').trim().toLowerCase() !== webSocket) {
    return undefined
  }
  const fields = [
    ...withoutHopByHop(rawHeaders),
    ...webSocketFields,
    'via',
    more.via.value,
    'x-ms-request-id',
    more.correlationId,
  ]
  let head = 'HTTP/1.1 101 Switching Protocols\r\n'
  for (let index = 0; index < fields.length; index += 2) {
    head += `${fields[index]}: ${fields[index + 1]}\r\n`
  }
  return `${head}\r\n`
}
