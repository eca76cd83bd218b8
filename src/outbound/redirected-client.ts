import type { Settings } from '../settings/settings.ts'
import { seconds } from '../units.ts'
import { type ClientHello, ClientHelloReader } from '../wire/client-hello.ts'
import { readBeginning } from '../wire/beginning.ts'
import type { ClientConnection } from './client-connections.ts'
import { ConnectRequest } from './connect-request.ts'
import { takeFirstBytes } from './first-bytes.ts'
import type { Direct } from './forward-head.ts'
import type { ProxyContext } from './proxy-context.ts'

const maxHelloMs = seconds(5)

/** Everything that is led here from this port is TLS. */
const httpsPort = 443

export interface RedirectedOptions {
  readonly connection: ClientConnection
  /** The port that the client asked for. */
  readonly originalPort: number
  /** For the first that it says; at most 5 s. */
  readonly headerMs: number
  /** Serves requests as a server would be sent them, with what has come of them. */
  readonly speakDirectly: (connection: ClientConnection, direct: Direct, bytes: Buffer) => void
}

/** What a listener takes connections from that were led here; undefined where clients know it as a proxy. */
export function redirectOf(
  settings: Settings | undefined,
  listener: string,
): { readonly originalPort: number; readonly headerMs: number } | undefined {
  const found = settings?.outbound.find(({ name }) => name === listener)?.transparent
  if (settings === undefined || found === undefined) return undefined
  return { originalPort: found.originalPort, headerMs: settings.timeouts.headerMs }
}

/**
 * A client that was led here and does not know it. Where it wanted to go is decided by the name alone that it says there,
 * the port being known; the address that it asked for is never looked at:
 *
 *   TLS  ─▶ the name of its hello ─▶ ConnectRequest     HTTP ─▶ the Host of each request ─▶ as in absolute-form
 */
export function serveRedirected(context: ProxyContext, options: RedirectedOptions): void {
  const { connection, originalPort, headerMs, speakDirectly } = options
  const { socket, peer } = connection
  const reader = new ClientHelloReader()
  let hello: ClientHello | undefined
  let isHttp = false
  takeFirstBytes(socket, {
    head: Buffer.alloc(0),
    timeoutMs: Math.min(headerMs, maxHelloMs),
    take(bytes) {
      const isFirst = reader.bytes.length === 0
      hello = reader.take(bytes)
      isHttp ||= isFirst && originalPort !== httpsPort && readBeginning(bytes) !== 'tls'
      return isHttp || hello !== undefined
    },
    done(enough) {
      const { bytes } = reader
      if (enough === 'gone') return
      if (isHttp) {
        speakDirectly(
          connection,
          { host: undefined, port: originalPort, evidence: undefined },
          bytes,
        )
      } else if (bytes.length === 0) {
        // Nothing was asked of anybody.
        socket.destroy()
      } else {
        const arrival = { client: socket, head: bytes, peer, isRedirected: true }
        const request = new ConnectRequest(context, arrival)
        void request.serveHello(hello ?? { kind: 'unreadable' }, originalPort)
      }
    },
  })
}
