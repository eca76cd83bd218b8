import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { connect as connectTls, type TLSSocket } from 'node:tls'

/** A client of HTTP/2 as Node has it. */
export interface Http2Client {
  readonly session: ClientHttp2Session
  /** Sends a request; without a body it is ended at once. */
  request(path: string, options?: RequestParts): ClientHttp2Stream
  /** The same and its whole answer. */
  exchange(path: string, options?: RequestParts): Promise<Http2Response>
  destroy(): void
}

export interface RequestParts {
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
  /** The stream is left open for whoever writes it. */
  readonly open?: boolean
}

export interface Http2Response {
  readonly status: number
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader
  readonly trailers: IncomingHttpHeaders
  readonly body: string
  /** Code of the reset; 0: it came to its end. */
  readonly code: number
}

export async function connectHttp2(options: {
  readonly port: number
  readonly ca: string
  readonly servername: string
}): Promise<Http2Client> {
  const { port, ca, servername } = options
  const socket = connectTls({ port, host: '127.0.0.1', ca, servername, ALPNProtocols: ['h2'] })
  return http2Over(socket)
}

/** The same over a TLS socket that offers it. */
export async function http2Over(socket: TLSSocket): Promise<Http2Client> {
  // A client that means harm sends twice what may be there once. The types know the option for servers only.
  const options = { createConnection: () => socket, strictSingleValueFields: false }
  const session = connect('https://orders.test', options)
  session.on('error', () => {})
  await once(session, 'connect')

  function request(path: string, { headers, body, open }: RequestParts = {}): ClientHttp2Stream {
    const endStream = open !== true && body === undefined
    const fields = { ':authority': 'orders.test', ':path': path, ...headers }
    const stream = session.request(fields, { endStream })
    stream.on('error', () => {})
    if (open !== true && !endStream) stream.end(body)
    return stream
  }

  return {
    session,
    request,
    exchange: async (path, parts) => responseOf(request(path, parts)),
    destroy: () => session.destroy(),
  }
}

/** The answer on a stream, whole or as far as it came. */
export async function responseOf(stream: ClientHttp2Stream): Promise<Http2Response> {
  let headers: Http2Response['headers'] = {}
  let trailers: IncomingHttpHeaders = {}
  let body = ''
  stream.on('response', (received) => {
    headers = received
  })
  stream.on('trailers', (received) => {
    trailers = received
  })
  stream.on('data', (chunk: Buffer) => {
    body += chunk.toString('latin1')
  })
  if (!stream.destroyed) await new Promise<void>((resolve) => stream.once('close', resolve))
  return { status: headers[':status'] ?? 0, headers, trailers, body, code: stream.rstCode ?? 0 }
}
