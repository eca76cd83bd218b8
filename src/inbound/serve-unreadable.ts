import { correlationIdOf } from './correlation.ts'
import { http11Required } from '../wire/http2-preface.ts'
import { renderRawRefusal } from '../wire/refusal.ts'
import { inboundRecord } from './access-record.ts'
import { type Connection, closeGently } from './connection.ts'
import type { InboundContext } from './context.ts'
import { type Exchange, openExchange } from './exchange.ts'
import { denial, type RequestFacts } from './judge-request.ts'

/** What could not be read: what the log says of it, and its status. */
export interface Unreadable {
  readonly detail: string
  readonly status: number
  /** Said instead of a refusal, to a client that would not read it. */
  readonly instead?: Buffer
}

/** The ways in which a request may fail to be one. */
export const unreadables = {
  malformed: { detail: 'not valid HTTP', status: 400 },
  'too-large': { detail: 'too many header bytes or lines', status: 431 },
  'too-slow': { detail: 'header took too long', status: 408 },
  http2: { detail: 'HTTP/2 that was not agreed on', status: 400, instead: http11Required },
} as const satisfies Record<string, Unreadable>

/** What Node's parser gave up on. */
const byCode: ReadonlyMap<string, Unreadable> = new Map<string, Unreadable>([
  ['HPE_PAUSED_H2_UPGRADE', unreadables.http2],
  ['HPE_HEADER_OVERFLOW', unreadables['too-large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', unreadables['too-slow']],
])

/** The client's side ended in the middle of a message. */
const endOfInput = 'HPE_INVALID_EOF_STATE'

/** Node's HTTP parser names its errors so. */
const parserPrefix = 'HPE_'

/** What a method begins with. Whatever else a connection opens with (a TLS hello, binary) is not HTTP at all. */
const letter = /^[A-Za-z]/

/**
 * Answers a connection on which no further request can be read. What is still being served keeps its answer, unless it
 * is itself what broke; bytes that are not HTTP at all get silence, everything else an answer and a record.
 */
export function serveUnreadable(
  context: InboundContext,
  connection: Connection,
  error: Error,
): void {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const unreadable =
    byCode.get(code) ?? (code.startsWith(parserPrefix) ? unreadables.malformed : undefined)
  const { current } = connection
  if (unreadable === undefined || (current === undefined && isSilent(connection, error, code))) {
    connection.stream.destroy()
    return
  }
  if (code === endOfInput && current !== undefined) {
    // It has left in the middle of its body.
    current.cutOff('client-closed')
    return
  }
  const answer = (): void => {
    answerUnreadable(context, connection, {
      ...unreadable,
      send(bytes) {
        connection.hasUnread = true
        if (connection.stream.writable) connection.stream.write(bytes)
        closeGently(connection)
      },
    })
  }
  if (current === undefined) answer()
  else if (!current.breakOff()) connection.afterLast = answer
}

/** Whether nothing of HTTP has come: no byte at all, or bytes of another protocol. */
function isSilent({ hasSpoken, stream }: Connection, error: Error, code: string): boolean {
  if (hasSpoken) return false
  if (code === 'HPE_INVALID_METHOD') {
    const packet = 'rawPacket' in error ? error.rawPacket : undefined
    return packet instanceof Buffer && !letter.test(packet.toString('latin1', 0, 1))
  }
  return 'bytesRead' in stream && stream.bytesRead === 0
}

/** Records that no request could be read, and has the answer sent, which ends the connection. */
export function answerUnreadable(
  context: InboundContext,
  connection: Connection,
  { detail, status, instead, send }: Unreadable & { readonly send: (answer: Buffer) => void },
): void {
  const exchange = recordUnreadable(context, connection, { reason: 'bad-request', detail })
  const { correlationId } = exchange
  const refusal = { reason: 'bad-request', status, correlationId, html: false } as const
  send(instead ?? renderRawRefusal(refusal))
  exchange.status = status
  exchange.end('complete')
}

/** Records the end of a connection that says nothing readable any more. Whoever calls this answers and ends it. */
export function recordUnreadable(
  context: InboundContext,
  connection: Connection,
  parts: { readonly reason: 'bad-request' | 'limit'; readonly detail: string },
): Exchange {
  const { ports, exchanges, listenerName } = context
  const { isSecure, peer, peerPort, proxied, delivery, stream } = connection
  const facts: RequestFacts = {
    listener: listenerName,
    method: '',
    target: '',
    httpVersion: '',
    rawHeaders: [],
    isSecure,
    peer,
    peerPort,
    proxied,
    delivery,
  }
  const correlationId = correlationIdOf(delivery, ports.newCorrelationId)
  const exchange = openExchange(ports, {
    facts,
    correlationId,
    exchanges,
    abort: () => stream.destroy(),
  })
  const policyVersion = ports.currentInForce()?.version ?? ''
  const judgement = denial(facts, { ...parts, policyVersion })
  ports.accessLog.accept(inboundRecord({ facts, judgement, correlationId, time: ports.now() }))
  return exchange
}
