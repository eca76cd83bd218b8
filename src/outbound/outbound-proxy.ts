import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PerimeterError } from '../errors.ts'
import { cut } from '../transport/cut.ts'
import { createDialAuthority } from '../transport/dial-authority.ts'
import { discardInput } from '../transport/discard.ts'
import { answeredBeyondLimit, createDropCounter } from '../transport/dropped.ts'
import { listen, type TcpEndpoint, type UnixEndpoint } from '../transport/listener.ts'
import { tunnelSlotsOf } from '../transport/tunnel-slots.ts'
import { KiB, seconds } from '../units.ts'
import { type Refusal, renderRefusal } from '../wire/refusal.ts'
import { answerSocket } from './answer.ts'
import { type ClientConnection, ClientConnections } from './client-connections.ts'
import { ConnectRequest } from './connect-request.ts'
import { ConnectionPool } from './connection-pool.ts'
import { Exchange } from './exchange.ts'
import { ForwardRequest } from './forward-request.ts'
import type { OutboundPorts } from './ports.ts'
import type { ProxyContext } from './proxy-context.ts'
import { refuse, type Refusing } from './refusing.ts'
import { isWebSocketUpgrade, respondOn } from './upgrade.ts'

/** The forward proxy of one outbound listener. */
export interface OutboundProxy {
  readonly name: string
  /** Starts it where settings say; gives the address that it got. Throws `PerimeterError` RF_LISTEN. */
  listen(): Promise<TcpEndpoint | UnixEndpoint>
  /** No new connections; what is under way goes on. */
  stopAccepting(): void
  /** Requests and tunnels under way. */
  readonly open: number
  /** To be called after each swap of what is in force: idle connections that an older one vetted are closed. */
  policyChanged(): void
  /** Ends everything; resolves when nothing is left. */
  close(): Promise<void>
}

/** How long an answer may take to reach a client when everything ends. */
const closeGraceMs = 500

/** How often connections are looked at that do not finish their head; never rarer than a quarter of what they have. */
const headCheckMs = seconds(1)

/**
 * Requests that one connection may send ahead of their answers. Each is worked for at once, so without a bound one
 * client could have any number of dials under way; clients as they are send one.
 */
const maxUnanswered = 64

/** Requests that one read brings on a connection that is refused as a whole. */
const maxIgnored = 64

/** Before a policy is loaded. */
const withoutSettings = { headerBytes: 16 * KiB, headerMs: seconds(10), keepAliveMs: seconds(60) }

/**
 * Makes the proxy; it does not listen yet. Its settings are looked up by name for each request, so `clients` and
 * `resource` follow a reload; header size and the times between requests are those in force now.
 */
export function createOutboundProxy(listener: string, ports: OutboundPorts): OutboundProxy {
  const context: ProxyContext = {
    listener,
    ports,
    dialPeer: createDialAuthority(ports.dial),
    slots: tunnelSlotsOf(ports.openConnections),
    pool: new ConnectionPool(),
    underWay: new Set(),
    isStopping: false,
  }
  const connections = new ClientConnections()
  const countDropped = createDropCounter((dropped) => {
    ports.log.warn({ listener, dropped }, 'connections were dropped: far too many')
  })
  const server = createHttpServer(ports)

  server.on('connection', (socket: Socket) => {
    socket.on('error', ignore)
    const limit = ports.currentInForce()?.settings.limits.connections ?? Infinity
    if (connections.size >= limit + answeredBeyondLimit) {
      countDropped()
      socket.destroy()
      return
    }
    accept(context, { connections, socket })
  })
  server.on('request', (request, response) => {
    forward({ request, response, expectsContinue: false })
  })
  server.on('checkContinue', (request, response) => {
    forward({ request, response, expectsContinue: true })
  })
  // Other expectations may be ignored (RFC 9110 10.1.1); Expect is never sent on.
  server.on('checkExpectation', (request, response) => {
    forward({ request, response, expectsContinue: false })
  })
  server.on('connect', (request, client, head) => {
    const connection = connections.get(client)
    client.on('error', ignore)
    if (connection === undefined || connection.isRefused) return
    if (isBehindAnother(context, connection)) return
    const { peer } = connection
    void new ConnectRequest(context, { request, client, head, peer }).serve()
  })
  server.on('upgrade', (request, client, head) => {
    const connection = connections.get(client)
    client.on('error', ignore)
    if (connection === undefined || connection.isRefused) return
    if (isBehindAnother(context, connection)) return
    const { peer } = connection
    const response = respondOn(request, client)
    const upgrade = { client, head }
    const expectsContinue = false
    void new ForwardRequest(context, { request, response, peer, expectsContinue, upgrade }).serve()
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refuseBroken(context, { connection: connections.get(socket), code: error.code })
  })

  function forward(arrival: {
    request: IncomingMessage
    response: ServerResponse
    expectsContinue: boolean
  }): void {
    const { request, response } = arrival
    const connection = connections.get(request.socket)
    if (connection === undefined) return
    if (connection.isRefused) {
      // One read may bring thousands, and Node keeps each of them as long as the connection.
      if (++connection.ignored === maxIgnored) cut(connection.socket)
      return
    }
    connection.latest = request
    if (connection.unanswered.size >= maxUnanswered) {
      refuseFurther(context, connection, response)
      return
    }
    const { peer } = connection
    const forwarding = new ForwardRequest(context, { ...arrival, peer })
    connection.unanswered.add(forwarding)
    response.once('close', () => {
      connection.unanswered.delete(forwarding)
      if (context.isStopping) server.closeIdleConnections()
    })
    void forwarding.serve()
  }

  return {
    name: listener,

    async listen() {
      const settings = ports.currentInForce()?.settings
      const found = settings?.outbound.find(({ name }) => name === listener)
      if (found === undefined) {
        throw new PerimeterError('RF_LISTEN', `there is no outbound listener \`${listener}\``)
      }
      return listen(server, found.listen, {
        onFault: (error) => ports.log.error({ err: error, listener }, 'a listener has failed'),
      })
    },

    stopAccepting() {
      context.isStopping = true
      if (server.listening) server.close()
    },

    get open() {
      return context.underWay.size
    },

    policyChanged() {
      void context.pool.retireAllBut(ports.currentInForce()?.version)
    },

    async close() {
      context.isStopping = true
      context.pool.close()
      const closed = Promise.withResolvers<void>()
      if (server.listening) server.close(() => closed.resolve())
      else closed.resolve()
      for (const one of context.underWay) one.end('drain-timeout')
      server.closeIdleConnections()
      const timer = setTimeout(() => connections.destroyAll(), closeGraceMs)
      await closed.promise
      await connections.whenEmpty()
      clearTimeout(timer)
    },
  }
}

function createHttpServer(ports: OutboundPorts): Server {
  const settings = ports.currentInForce()?.settings
  const { headerBytes } = settings?.limits ?? withoutSettings
  const { headerMs, keepAliveMs } = settings?.timeouts ?? withoutSettings
  const server = createServer({
    maxHeaderSize: headerBytes,
    headersTimeout: headerMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(headCheckMs, Math.ceil(headerMs / 4)),
    // It would limit a whole upload; a body that stalls has a time-out of its own.
    requestTimeout: 0,
    // Ours to judge and to log.
    requireHostHeader: false,
    shouldUpgradeCallback: isWebSocketUpgrade,
  })
  // Counted by us: beyond its own number Node drops fields silently.
  server.maxHeadersCount = 0
  return server
}

function accept(
  context: ProxyContext,
  { connections, socket }: { connections: ClientConnections; socket: Socket },
): void {
  const { ports } = context
  const limit = ports.currentInForce()?.settings.limits.connections
  const isRefused = limit !== undefined && connections.admitted >= limit
  const openedAt = ports.monotonicNow()
  const connection = connections.add(socket, { isRefused, openedAt })
  ports.meter.opened('connection', 'Outbound')
  socket.once('close', () => {
    ports.meter.ended({
      kind: 'connection',
      direction: 'Outbound',
      resource: undefined,
      status: undefined,
      bytesIn: socket.bytesRead,
      bytesOut: socket.bytesWritten,
      durationMs: ports.monotonicNow() - openedAt,
    })
  })
  if (isRefused) refuseUnread(context, connection, { reason: 'limit', detail: 'connections' })
}

/** The answers before it are still on their way: whatever we said now would be taken for one of them. */
function isBehindAnother(context: ProxyContext, connection: ClientConnection): boolean {
  const { unanswered, socket } = connection
  if (unanswered.size === 0) return false
  const detail = 'CONNECT or Upgrade before the answer to an earlier request'
  recordUnread(context, connection, { reason: 'bad-request', detail })
  // Node looks after their answers no longer.
  for (const one of unanswered) one.end('client-invalid')
  socket.destroySoon()
  return true
}

/** Told in its turn, behind the answers to those before it; nothing more is read. */
function refuseFurther(
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
function refuseBroken(
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
  // More bytes would be taken for a part of the answer that is on its way, which may be a refusal of ours.
  if (unanswered.size > 0) {
    breakOff(context, connection, code)
    return
  }
  // In the content of a request that has had its answer: nobody asks for anything.
  if (latest?.complete === false) {
    socket.destroy()
    return
  }
  connection.isRefused = true
  const isLate = code === 'ERR_HTTP_REQUEST_TIMEOUT'
  // A connection on which nothing was ever asked: there is nothing to log.
  if (isLate && socket.bytesRead === 0) {
    socket.destroy()
    return
  }
  refuseUnread(context, connection, {
    reason: 'bad-request',
    ...(brokenBy.get(code ?? '') ?? { detail: 'not a valid HTTP request' }),
  })
}

/**
 * Ends a connection with answers on their way. A clean end would make the last of them look whole to a client that takes
 * the end of the connection for it (RFC 9112 6.3), so what has begun is cut off.
 */
function breakOff(
  context: ProxyContext,
  connection: ClientConnection,
  code: string | undefined,
): void {
  const { unanswered, socket } = connection
  const served = [...unanswered].filter((one) => context.underWay.has(one))
  if (served.length > 0 && code === 'HPE_INVALID_EOF_STATE') {
    // It has left in the middle of its content.
    cut(socket)
    return
  }
  connection.isRefused = true
  if (served.length > 0) {
    const detail = 'not a valid HTTP request behind another'
    recordUnread(context, connection, { reason: 'bad-request', detail })
    for (const one of served) one.end('client-invalid')
  }
  socket.destroySoon()
}

const brokenBy: ReadonlyMap<string, { status: number; detail: string; message: string }> = new Map([
  [
    'ERR_HTTP_REQUEST_TIMEOUT',
    {
      status: 408,
      detail: 'the request head did not arrive in time',
      message: 'the head of the request did not arrive in time',
    },
  ],
  [
    'HPE_HEADER_OVERFLOW',
    {
      status: 431,
      detail: 'the request head is too large',
      message: 'the head of the request is larger than this proxy allows',
    },
  ],
])

/** Refuses a connection whose request has not been read. */
function refuseUnread(context: ProxyContext, connection: ClientConnection, refusing: Unread): void {
  answerSocket(connection.socket, recordUnread(context, connection, refusing))
}

type Unread = Pick<Refusing, 'detail' | 'message' | 'status'> & {
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

function ignore(): void {
  // Every end of a socket is seen by its 'close'.
}
