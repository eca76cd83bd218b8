import { headerValues } from '../wire/headers.ts'
import { type Http2Message, readHttp2Head } from '../wire/http2-head.ts'
import { type RefuseAs, tooManyConnections } from './admit.ts'
import type { Connection } from './connection.ts'
import type { InboundContext } from './context.ts'
import { type ArrivedStream, type ClientSession, openClientSession } from './http2-session.ts'
import { Http2Side } from './http2-side.ts'
import { serveRequest } from './serve-request.ts'
import { recordUnreadable } from './serve-unreadable.ts'

/**
 * HTTP/2 of one listener. Each stream is served like a request of HTTP/1.1, all streams of a connection at once:
 *
 *   connection ─ session ─┬─ stream ─ the HTTP/1.1 message that it means ─ serve-request ─▶ back end
 *                         └─ stream ─ …
 */
export interface Http2Lane {
  /** Takes over a connection that has agreed on HTTP/2. */
  speak(connection: Connection): void
  /** Takes no further stream on any of them. */
  finish(): void
}

export function createHttp2Lane(context: InboundContext): Http2Lane {
  const sessions = new Set<ClientSession>()
  const { ports, listenerName } = context

  function speak(connection: Connection): void {
    const inForce = ports.currentInForce()
    if (inForce === undefined) {
      connection.stream.destroy()
      return
    }
    const session = openClientSession({
      ...inForce.settings,
      connection,
      now: ports.monotonicNow,
      onStream: (arrived) => serve(arrived, { connection, session }),
      onBroken: (fault) => recordUnreadable(context, connection, fault).end('client-invalid'),
    })
    sessions.add(session)
    connection.stream.once('close', () => sessions.delete(session))
  }

  function serve(
    { stream, rawHeaders, endsStream }: ArrivedStream,
    { connection, session }: { connection: Connection; session: ClientSession },
  ): void {
    const { isSecure, isTooMany } = connection
    const message = readHttp2Head({ rawHeaders, endsStream, isSecure })
    const expectations = headerValues(message.rawHeaders, 'expect')
    const expectsContinue = expectations.some((value) => value.toLowerCase() === '100-continue')
    const side = new Http2Side({
      stream,
      message,
      hasBody: !endsStream,
      expectsContinue,
      connection,
      listener: listenerName,
    })
    const refuseAs = isTooMany ? tooManyConnections : refusalOf(message)
    serveRequest(context, side, {
      refuseAs,
      onEnd: () => {
        if (side.isGivenUp()) session.givenUp()
      },
    })
    if (isTooMany || context.isDraining) session.finish()
  }

  function refusalOf({ problem, bytes }: Http2Message): RefuseAs | undefined {
    if (problem !== undefined) return { reason: 'bad-request', detail: problem }
    const { headerBytes = 0 } = ports.currentInForce()?.settings.limits ?? {}
    return bytes > headerBytes ? tooManyBytes : undefined
  }

  return {
    speak,
    finish() {
      for (const session of sessions) session.finish()
    },
  }
}

const tooManyBytes: RefuseAs = {
  reason: 'bad-request',
  detail: 'too many header bytes or lines',
  status: 431,
}
