import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Delivery } from '../identity/caller.ts'
import type { Limits, Settings, Timeouts } from '../settings/settings.ts'
import { answeredBeyondLimit } from '../transport/dropped.ts'
import type { IpAddress } from '../wire/address.ts'
import type { ProxyHeader } from '../wire/proxy-protocol.ts'
import { type Connection, closeGently } from './connection.ts'
import { ownPeer } from './connection-facts.ts'
import type { ProxyIntake } from './proxy-intake.ts'
import {
  type ListenerPem,
  type ListenerSecurity,
  secureListener,
  secureStream,
  shownCertificate,
} from './secure-stream.ts'

export interface HttpListenerOptions {
  readonly name: string
  readonly settings: () => Settings | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Who owes a PROXY header; its owner destroys it. */
  readonly proxyIntake: ProxyIntake
  /** The next on the connection, whatever its turn. */
  readonly onRequest: (arrived: ArrivedRequest) => void
  readonly onUpgrade: (arrived: ArrivedUpgrade) => void
  /** A CONNECT behind requests in flight. Node's parser reads nothing more. */
  readonly onLateConnect: (arrived: ArrivedUpgrade) => void
  /** One of very many requests on a connection that takes no further one. */
  readonly onFlood: (arrived: Omit<ArrivedRequest, 'expectsContinue'>) => void
  /** What arrived is no request, or did not arrive in time. Node's parser reads nothing more. */
  readonly onUnreadable: (error: Error, connection: Connection) => void
  /** Takes over a connection that speaks HTTP/2. */
  readonly speakHttp2: (connection: Connection) => void
  readonly isUpgrade: (request: IncomingMessage, connection: Connection) => boolean
  readonly onConnection: (connection: Connection) => void
  /** A connection is ready to speak HTTP/1: true where somebody other than Node's parser takes it. */
  readonly takesOver: (connection: Connection) => boolean
  /** A connection was dropped without a word, because there are far too many. */
  readonly onDropped: () => void
}

export interface ArrivedRequest {
  readonly connection: Connection
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly expectsContinue: boolean
}

export interface ArrivedUpgrade {
  readonly connection: Connection
  readonly request: IncomingMessage
  /** What came behind the head. */
  readonly head: Buffer
}

export interface HttpListener {
  /** To listen with. Nothing else is to be done to it. */
  readonly server: Server
  readonly connections: ReadonlySet<Connection>
  deliver(delivery: Delivery): Duplex
  setSecureContext(pem: ListenerPem): void
}

/** Requests that one read brings although none is taken any more. Node keeps each of them as long as the connection. */
const maxIgnored = 64

/** How often Node looks for heads that take too long. */
const headCheckMs = 250

/** ALPN's list in wire format (RFC 7301 3.1), the one that we would rather speak first. */
const protocols = Buffer.from('\x02h2\x08http/1.1', 'latin1')

/**
 * A listener of HTTP/1, over TLS once it has a secure context, and then of HTTP/2 too. Connections come by TCP or from
 * the outbound side.
 */
export function createHttpListener(options: HttpListenerOptions): HttpListener {
  const { proxyIntake } = options
  const connections = new Set<Connection>()
  const byStream = new WeakMap<Duplex, Connection>()
  let security: ListenerSecurity | undefined

  const server = createServer({
    connectionsCheckingInterval: headCheckMs,
    // A whole upload may take its time: bodies have an idle time-out of ours.
    requestTimeout: 0,
    // Whether Host is there is judged, refused and logged like the rest of the head.
    requireHostHeader: false,
    insecureHTTPParser: false,
    shouldUpgradeCallback(request) {
      const connection = byStream.get(request.socket)
      return connection !== undefined && options.isUpgrade(request, connection)
    },
  })
  // Node's own listener makes HTTP of a stream; what comes before is ours: limits, TLS, deliveries.
  const [speakHttp] = server.listeners('connection')
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    // CVE-2023-2968: reset while it was accepted, so that nobody can say any more who it was.
    if (socket.remoteAddress === undefined) socket.destroy()
    else takeSocket(socket)
  })

  function takeSocket(socket: Socket): void {
    socket.on('error', ignore)
    const from = ownPeer(socket)
    if (!isRoomFor(socket)) return
    const onHeader = (proxied: ProxyHeader): void => accept(socket, { ...from, proxied })
    if (!proxyIntake.take(socket, { from, onHeader })) accept(socket, from)
  }

  function isRoomFor(raw: Duplex): boolean {
    const limit = options.settings()?.limits.connections ?? 0
    if (connections.size + proxyIntake.size < limit + answeredBeyondLimit) return true
    options.onDropped()
    raw.destroy()
    return false
  }

  function accept(raw: Duplex, from: From): void {
    const { limits, timeouts } = options.settings() ?? {}
    if (limits !== undefined && timeouts !== undefined) applyLimits(server, limits, timeouts)
    const isTooMany = connections.size + proxyIntake.size >= (limits?.connections ?? 0)
    // What a member sends from here needs no certificate: it is known whose it is.
    const asksForCertificate = security?.asksForCertificate === true && from.delivery === undefined
    const stream =
      security === undefined ? raw : secureStream(raw, { security, asksForCertificate, protocols })
    const connection: Connection = {
      stream,
      isSecure: stream !== raw,
      delivery: from.delivery,
      peer: from.peer,
      peerPort: from.peerPort,
      proxied: from.proxied,
      certificate: undefined,
      isTooMany,
      hasSpoken: false,
      isDeaf: false,
      isClosing: false,
      ignored: 0,
      hasUnread: false,
      current: undefined,
      waiting: [],
      afterLast: undefined,
    }
    connections.add(connection)
    byStream.set(stream, connection)
    stream.on('error', ignore)
    stream.once('close', () => {
      connections.delete(connection)
      raw.destroy()
    })
    options.onConnection(connection)
    const speak = (): void => {
      if (options.takesOver(connection)) return
      // Node ends a connection by this after its last answer.
      Object.assign(stream, { destroySoon: () => closeGently(connection) })
      speakHttp?.call(server, stream)
    }
    if (stream === raw) {
      speak()
      return
    }
    const timer = setTimeout(() => stream.destroy(), timeouts?.headerMs ?? 0)
    stream.once('close', () => clearTimeout(timer))
    stream.once('secure', () => {
      // Before the deadline is lifted, which would end it if this failed.
      if (asksForCertificate && stream instanceof TLSSocket) {
        connection.certificate = readCertificate(stream)
      }
      clearTimeout(timer)
      // Node's TLS server says so of its own sockets; HTTP/2 would wait for it for ever.
      Object.assign(stream, { secureConnecting: false })
      if (isHttp2(stream)) options.speakHttp2(connection)
      else speak()
    })
  }

  function readCertificate(stream: TLSSocket): Connection['certificate'] {
    const own = options.settings()?.inbound.find(({ name }) => name === options.name)
    const trusted = own?.tls?.clientCertificates
    return trusted && shownCertificate(stream, trusted, { now: options.now() })
  }

  function arrive(
    request: IncomingMessage,
    response: ServerResponse,
  ): Omit<ArrivedRequest, 'expectsContinue'> | undefined {
    request.on('error', ignore)
    response.on('error', ignore)
    const connection = byStream.get(request.socket)
    if (connection === undefined) request.socket.destroy()
    return connection && { connection, request, response }
  }

  const onRequest =
    (expectsContinue: boolean) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      const arrived = arrive(request, response)
      if (arrived === undefined) return
      const { connection } = arrived
      if (!connection.isDeaf && !connection.isClosing)
        options.onRequest({ ...arrived, expectsContinue })
      else if (++connection.ignored === maxIgnored) options.onFlood(arrived)
    }
  server.on('request', onRequest(false))
  server.on('checkContinue', onRequest(true))
  // Judged with the rest of the head, and refused.
  server.on('checkExpectation', onRequest(false))

  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    // Node has taken its own handlers away.
    stream.on('error', ignore)
    const connection = byStream.get(stream)
    if (connection === undefined || connection.isClosing) stream.destroy()
    else if (connection.current === undefined) options.onUpgrade({ connection, request, head })
    else {
      // An answer in flight hears of its client through these handlers.
      stream.on('drain', () => connection.current?.resume())
      options.onLateConnect({ connection, request, head })
    }
  }
  server.on('upgrade', onUpgrade)
  // Nobody tunnels through a resource: answered like any other request that makes no sense.
  server.on('connect', onUpgrade)

  server.on('clientError', (error: Error, stream: Duplex) => {
    const connection = byStream.get(stream)
    if (connection === undefined) stream.destroy()
    else if (!connection.isClosing) options.onUnreadable(error, connection)
  })

  return {
    server,
    connections,
    deliver(delivery) {
      const [theirs, ours] = duplexPair()
      // Theirs to handle, but an end of ours must never be an unhandled error of theirs.
      theirs.on('error', ignore)
      // Node's pair tells of an end only; a side whose peer was destroyed would wait for it for ever.
      theirs.once('close', () => ours.destroy())
      // And what was cut short must not look like an end.
      ours.once('close', () =>
        theirs.destroy(ours.writableFinished ? undefined : new Error('cut off')),
      )
      ours.on('error', ignore)
      if (isRoomFor(ours)) accept(ours, { peer: undefined, peerPort: undefined, delivery })
      return theirs
    },
    setSecureContext(pem) {
      security = secureListener(pem)
    },
  }
}

/** Where a connection comes from, as it was when it was accepted: a socket forgets it when its peer is gone. */
interface From {
  readonly peer: IpAddress | undefined
  readonly peerPort: number | undefined
  readonly proxied?: ProxyHeader
  readonly delivery?: Delivery
}

/** Limits count from the next connection on, times from the next request. */
function applyLimits(server: Server, limits: Limits, { headerMs, keepAliveMs }: Timeouts): void {
  server.headersTimeout = headerMs
  server.keepAliveTimeout = keepAliveMs
  // Counted by us, by what is in force then: over its own count some versions of Node drop fields without a word.
  server.maxHeadersCount = 0
  // Read for each connection; the types know it as an option only.
  Object.assign(server, { maxHeaderSize: limits.headerBytes })
}

/** Whether the client and we have agreed on it. */
function isHttp2(stream: Duplex): boolean {
  return stream instanceof TLSSocket && stream.alpnProtocol === 'h2'
}

function ignore(): void {}
