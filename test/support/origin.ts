import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net'
import { once } from 'node:events'

/** Servers behind the proxies: a strict one that speaks HTTP as Node does, and a lenient one that takes any bytes. */

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly httpVersion: string
  readonly rawHeaders: readonly string[]
  /** All values of a header, in order. */
  header(name: string): string[]
}

interface Listening {
  readonly port: number
  /** `127.0.0.1:port`. */
  readonly authority: string
  /** Connections that are open now. */
  readonly sockets: ReadonlySet<Socket>
  /** Connections that were ever accepted. */
  readonly accepted: () => number
  close(): Promise<void>
}

export interface Origin extends Listening {
  /** Every request whose head has arrived, in order. */
  readonly seen: readonly SeenRequest[]
  readonly url: string
  /** Empties what was seen. */
  forget(): void
}

export interface OriginOptions {
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly keepAliveTimeoutMs?: number
  readonly onUpgrade?: (request: IncomingMessage, socket: Socket, head: Buffer) => void
}

export type OriginHandler = (request: IncomingMessage, response: ServerResponse) => void

/** A strict origin: Node's own HTTP server. Without a handler it answers 200 and `ok`. */
export async function startOrigin(
  handle: OriginHandler = answerOk,
  options: OriginOptions = {},
): Promise<Origin> {
  const seen: SeenRequest[] = []
  const serve: OriginHandler = (request, response) => {
    response.on('error', ignore)
    request.on('error', ignore)
    seen.push(asSeen(request))
    handle(request, response)
  }
  const server =
    options.tls === undefined
      ? createHttpServer({ requireHostHeader: false }, serve)
      : createHttpsServer({ ...options.tls, requireHostHeader: false }, serve)
  server.keepAliveTimeout = options.keepAliveTimeoutMs ?? 60_000
  server.keepAliveTimeoutBuffer = 0
  const { onUpgrade } = options
  if (onUpgrade !== undefined) {
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      socket.on('error', ignore)
      seen.push(asSeen(request))
      onUpgrade(request, socket, head)
    })
  }
  const listening = await listen(server)
  const scheme = options.tls === undefined ? 'http' : 'https'
  return {
    ...listening,
    seen,
    url: `${scheme}://${listening.authority}`,
    forget() {
      seen.length = 0
    },
  }
}

export interface RawOrigin extends Listening {
  /** Everything that arrived on each connection, as latin1, in order of acceptance. */
  readonly received: readonly string[]
}

/**
 * A lenient origin: whatever arrives is handed over. `onData` gets the connection's whole text so far; `onConnection`
 * comes before anything has arrived.
 */
export async function startRawOrigin(handlers: {
  readonly onConnection?: (socket: Socket) => void
  readonly onData?: (socket: Socket, textSoFar: string) => void
}): Promise<RawOrigin> {
  const received: string[] = []
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    const index = received.push('') - 1
    socket.on('error', ignore)
    socket.on('end', () => socket.end())
    handlers.onConnection?.(socket)
    socket.on('data', (chunk: Buffer) => {
      const text = (received[index] ?? '') + chunk.toString('latin1')
      received[index] = text
      handlers.onData?.(socket, text)
    })
  })
  return { ...(await listen(server)), received }
}

/** Sends `bytes` once the head of a request has arrived, for origins that answer without reading. */
export function answerRaw(bytes: string): (socket: Socket, textSoFar: string) => void {
  const answered = new WeakSet<Socket>()
  return (socket, text) => {
    if (answered.has(socket) || !text.includes('\r\n\r\n')) return
    answered.add(socket)
    socket.write(bytes, 'latin1')
  }
}

/** The whole body of a request. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>()
  let accepted = 0
  server.on('connection', (socket: Socket) => {
    accepted++
    sockets.add(socket)
    socket.on('error', ignore)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo
  return {
    port,
    authority: `127.0.0.1:${port}`,
    sockets,
    accepted: () => accepted,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function asSeen(request: IncomingMessage): SeenRequest {
  const { rawHeaders } = request
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    httpVersion: request.httpVersion,
    rawHeaders,
    header(name) {
      return rawHeaders.filter(
        (_, index) =>
          index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name.toLowerCase(),
      )
    },
  }
}

function answerOk(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  response.end('ok')
}

function ignore(): void {}
