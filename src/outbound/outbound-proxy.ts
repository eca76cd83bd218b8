import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PerimeterError } from '../errors.ts'
import { cut } from '../transport/cut.ts'
import { createDialAuthority } from '../transport/dial-authority.ts'
import { answeredBeyondLimit, createDropCounter } from '../transport/dropped.ts'
import { listen, type TcpEndpoint, type UnixEndpoint } from '../transport/listener.ts'
import { tunnelSlotsOf } from '../transport/tunnel-slots.ts'
import { KiB, seconds } from '../units.ts'
import type { Unreadable } from '../transport/relay/relay-connection.ts'
import { type ClientConnection, ClientConnections } from './client-connections.ts'
import { ConnectRequest } from './connect-request.ts'
import { ConnectionPool } from './connection-pool.ts'
import { ForwardRequest } from './forward-request.ts'
import type { Direct } from './forward-head.ts'
import type { OutboundPorts } from './ports.ts'
import { AllUnderWay, type ProxyContext } from './proxy-context.ts'
import {
  refusalOfUnreadable,
  refuseBroken,
  refuseFurther,
  refuseUnread,
} from './refuse-connection.ts'
import { redirectOf, serveRedirected } from './redirected-client.ts'
import { RelayedClient } from './relayed-client.ts'
import { awaitAnswer, leaveAll, takeOverInTurn } from './turns.ts'
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

/** What is led here from it speaks TLS, and is told by an alert. */
const httpsPort = 443

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
    dialPeer: createDialAuthority(ports.dial, {
      isOwn: (address, port) => ports.currentInForce()?.guard.isOwnListener(address, port) === true,
    }),
    via: ports.via(listener),
    slots: tunnelSlotsOf(ports.openConnections),
    pool: new ConnectionPool(),
    upstreams: new ConnectionPool(),
    relayed: new Set(),
    underWay: new AllUnderWay(),
    isStopping: false,
  }
  const connections = new ClientConnections()
  const countDropped = createDropCounter((dropped) => {
    ports.log.warn({ listener, dropped }, 'connections were dropped: far too many')
  })
  const server = createHttpServer(ports)

  // Node's own listener makes HTTP of a socket; which one is ours to say.
  const [speakHttp] = server.listeners('connection')
  server.removeAllListeners('connection')

  server.on('connection', (socket: Socket) => {
    socket.on('error', ignore)
    const limit = ports.currentInForce()?.settings.limits.connections ?? Infinity
    if (connections.size >= limit + answeredBeyondLimit) {
      countDropped()
      socket.destroy()
      return
    }
    const redirect = redirectOf(ports.currentInForce()?.settings, listener)
    const isTls = redirect?.originalPort === httpsPort
    const connection = accept(context, { connections, socket, isTls })
    if (connection.isRefused) return
    if (redirect === undefined) speak(connection)
    else serveRedirected(context, { ...redirect, connection, speakDirectly })
  })
  server.on('request', (request, response) => {
    forward({ request, response, expectsContinue: false })
  })
  server.on('checkContinue', (request, response) => {
    forward({ request, response, expectsContinue: true })
  })
  // What else may be expected is judged with the rest of the head, and refused.
  server.on('checkExpectation', (request, response) => {
    forward({ request, response, expectsContinue: false })
  })
  server.on('connect', (request, client, head) => {
    takeOver({ client, head }, (connection) => {
      const { peer, direct } = connection
      if (direct !== undefined) {
        connection.isRefused = true
        refuseUnread(context, connection, { reason: 'bad-request', detail: 'CONNECT to a server' })
        return
      }
      const { url: target = '', httpVersion, rawHeaders } = request
      const lines = { target, httpVersion, rawHeaders }
      const speakTo = (direct: Direct, bytes: Buffer): void => {
        speakDirectly(connection, direct, bytes)
      }
      const arrival = { client, head, peer, speakDirectly: speakTo }
      void new ConnectRequest(context, arrival).serve(lines)
    })
  })
  server.on('upgrade', (request, client, head) => {
    takeOver({ client, head }, ({ peer, direct }) => {
      const response = respondOn(request, client)
      const upgrade = { client, head }
      const expectsContinue = false
      const arrival = { request, response, peer, expectsContinue, upgrade, direct }
      void new ForwardRequest(context, arrival).serve()
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refuseBroken(context, { connection: connections.get(socket), code: error.code })
  })

  function speak(connection: ClientConnection): void {
    if (ports.currentInForce()?.settings.lane === 'library') {
      speakHttp?.call(server, connection.socket)
      return
    }
    const options = { connection, refuse: refuseUnreadable, stepBack, speakDirectly }
    new RelayedClient(context, options)
  }

  function speakDirectly(connection: ClientConnection, direct: Direct, bytes: Buffer): void {
    const { socket } = connection
    if (socket.destroyed) return
    connection.direct = direct
    socket.unshift(bytes)
    speak(connection)
    process.nextTick(() => socket.resume())
  }

  function stepBack({ socket }: ClientConnection, bytes: Buffer): void {
    socket.unshift(bytes)
    speakHttp?.call(server, socket)
    process.nextTick(() => socket.resume())
  }

  function refuseUnreadable(why: Unreadable, connection: ClientConnection): Buffer {
    return refusalOfUnreadable(context, connection, why)
  }

  function takeOver(
    { client, head }: { client: Duplex; head: Buffer },
    serve: (connection: ClientConnection) => void,
  ): void {
    client.on('error', ignore)
    const connection = connections.get(client)
    if (connection === undefined) return
    const next = (): void => {
      if (!connection.isRefused) serve(connection)
    }
    takeOverInTurn(connection, { client, head, next })
  }

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
      if (++connection.ignored === maxIgnored) {
        leaveAll(connection, 'client-invalid')
        cut(connection.socket)
      }
      return
    }
    connection.latest = request
    if (connection.unanswered.size >= maxUnanswered) {
      refuseFurther(context, connection, response)
      return
    }
    const { peer, direct } = connection
    // Node has read what stands behind it, if it came with it.
    const onAmbiguous = (): void => void (connection.isRefused = true)
    const forwarding = new ForwardRequest(context, { ...arrival, peer, direct, onAmbiguous })
    awaitAnswer(connection, { response, request: forwarding })
    response.once('close', () => {
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
      for (const client of context.relayed) client.drain()
    },

    get open() {
      let open = context.underWay.size
      for (const { isBusy } of context.relayed) if (isBusy) open++
      return open
    },

    policyChanged() {
      const version = ports.currentInForce()?.version
      void context.pool.retireAllBut(version)
      void context.upstreams.retireAllBut(version)
      for (const client of context.relayed) client.policyChanged()
    },

    async close() {
      context.isStopping = true
      context.pool.close()
      context.upstreams.close()
      const closed = Promise.withResolvers<void>()
      if (server.listening) server.close(() => closed.resolve())
      else closed.resolve()
      for (const one of context.underWay) one.end('drain-timeout')
      for (const client of context.relayed) client.end('drain-timeout')
      server.closeIdleConnections()
      for (const client of context.relayed) client.drain()
      const over = Promise.withResolvers<void>()
      const timer = setTimeout(() => connections.destroyAll(), closeGraceMs)
      const lastTimer = setTimeout(over.resolve, 2 * closeGraceMs)
      await closed.promise
      await connections.whenEmpty()
      // A tunnel ends, and writes its last record, once both of its sides are closed.
      await Promise.race([context.underWay.whenEmpty(), over.promise])
      clearTimeout(timer)
      clearTimeout(lastTimer)
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
  given: {
    readonly connections: ClientConnections
    readonly socket: Socket
    readonly isTls: boolean
  },
): ClientConnection {
  const { ports } = context
  const { connections, socket, isTls } = given
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
  if (isRefused) {
    refuseUnread(context, connection, { reason: 'limit', detail: 'connections', isTls })
  }
  return connection
}

function ignore(): void {
  // Every end of a socket is seen by its 'close'.
}
