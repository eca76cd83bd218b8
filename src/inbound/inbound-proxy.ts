import { correlationIdOf } from './correlation.ts'
import type { Duplex } from 'node:stream'
import { PerimeterError } from '../errors.ts'
import type { Delivery } from '../identity/caller.ts'
import { loadOnce } from '../load-once.ts'
import type { Settings, TcpAddress } from '../settings/settings.ts'
import { cut } from '../transport/cut.ts'
import { createDropCounter } from '../transport/dropped.ts'
import { listen } from '../transport/listener.ts'
import { tunnelSlotsOf } from '../transport/tunnel-slots.ts'
import { connectionOptions } from '../wire/headers.ts'
import { createBackends } from './backends.ts'
import { loadCallBackend } from './http-proxy.ts'
import { Http1Side } from './http1-side.ts'
import { createHttp2Lane } from './http2-lane.ts'
import { type Connection, deafen, endTurn, takeTurn, type Turn } from './connection.ts'
import { factsOf, type InboundContext } from './context.ts'
import { type ArrivedRequest, createHttpListener } from './listener.ts'
import type { InboundPorts } from './ports.ts'
import { createProxyIntake } from './proxy-intake.ts'
import { RelayedConnection } from './relayed-connection.ts'
import { admit, type RefuseAs, tooManyConnections } from './admit.ts'
import type { ListenerPem } from './secure-stream.ts'
import { serveRequest, type Serving } from './serve-request.ts'
import { serveUnreadable } from './serve-unreadable.ts'
import { isPlainUpgrade, serveUpgrade, wantsWebSocket } from './serve-upgrade.ts'

/** The reverse proxy of one listener. */
export interface InboundProxy {
  readonly name: string
  /** That it really listens on; undefined before. */
  readonly port: number | undefined
  /** Requests in flight and upgrades. */
  readonly open: number
  /** Starts to listen; the address has the real port. Throws `PerimeterError` RF_LISTEN. */
  listen(): Promise<TcpAddress>
  /** A stream into this listener from the outbound side; on a listener with TLS it speaks TLS. The caller owns it. */
  deliver(delivery: Delivery): Duplex
  /** What new connections are shown; before `listen` where the listener has TLS. Throws what OpenSSL refuses. */
  setSecureContext(pem: ListenerPem): void
  /** Takes no new connections; each connection ends with the answer it is busy with, idle ones end now. */
  stopAccepting(): void
  /** Cuts off whatever is open; resolves when all sockets are gone. */
  close(): Promise<void>
}

/** Its settings are looked up by name at each request, so that a reload changes everything but the address. */
export function createInboundProxy(listenerName: string, ports: InboundPorts): InboundProxy {
  const settings = (): Settings | undefined => ports.currentInForce()?.settings
  const backends = createBackends({ connectMs: () => settings()?.timeouts.connectMs ?? 0 })
  let port: number | undefined
  let hasSecureContext = false
  let hasStopped = false
  let hasClosed = false

  const context: InboundContext = {
    listenerName,
    ports,
    via: ports.via(listenerName),
    backends,
    callBackend: loadOnce(() => loadCallBackend(backends)),
    exchanges: new Set(),
    slots: tunnelSlotsOf(ports.openConnections),
    relayed: new Set(),
    isDraining: false,
  }

  const http2 = createHttp2Lane(context)
  const proxyIntake = createProxyIntake(listenerName, ports)
  const listener = createHttpListener({
    name: listenerName,
    settings,
    now: ports.now,
    proxyIntake,
    speakHttp2: (connection) => http2.speak(connection),
    onConnection: countConnection,
    onDropped: () => countDropped(),
    isUpgrade: (request, connection) =>
      connection.current === undefined &&
      !connection.isClosing &&
      isPlainUpgrade(factsOf(context, { connection, request })),
    onRequest: serve,
    onUpgrade(arrived) {
      arrived.connection.hasSpoken = true
      const { connection, head } = arrived
      serveUpgrade(
        context,
        { connection, head, facts: factsOf(context, arrived) },
        connection.isTooMany ? tooManyConnections : undefined,
      )
    },
    onLateConnect(arrived) {
      const { connection } = arrived
      if (connection.isDeaf) return
      deafen(connection)
      const facts = factsOf(context, arrived)
      connection.afterLast = () =>
        serveUpgrade(context, { connection, facts, head: arrived.head }, connectBehind)
    },
    takesOver(connection) {
      if (settings()?.lane === 'library') return false
      if (hasStopped) connection.stream.destroy()
      else new RelayedConnection(context, connection)
      return true
    },
    onFlood: breakConnection,
    onUnreadable: (error, connection) => serveUnreadable(context, connection, error),
  })

  function serve(arrived: ArrivedRequest): void {
    const { connection } = arrived
    connection.hasSpoken = true
    if (takeTurn(connection, turnOf(arrived, refusalOf(arrived)))) return
    // Told in its turn, behind the answers to those that it did not wait for.
    deafen(connection)
    connection.waiting.push(turnOf({ ...arrived, expectsContinue: false }, tooManyRequests))
  }

  function turnOf(arrived: ArrivedRequest, refuseAs: RefuseAs | undefined): Turn {
    const { connection, request, response, expectsContinue } = arrived
    let serving: Serving | undefined
    return {
      start() {
        const side = new Http1Side(context, { connection, request, response, expectsContinue })
        serving = serveRequest(context, side, { refuseAs, onEnd: () => endTurn(connection) })
      },
      breakOff: () => serving?.breakOff() ?? false,
      resume: () => response.emit('drain'),
      cutOff: (closeReason) => serving?.cutOff(closeReason),
    }
  }

  /** Recorded, and nothing is served on the connection any more. */
  function breakConnection(arrived: Omit<ArrivedRequest, 'expectsContinue'>): void {
    const { connection } = arrived
    // Behind the last answer nobody waits for another, and it has had its record.
    if (!connection.isClosing) {
      admit(ports, factsOf(context, arrived), {
        correlationId: correlationIdOf(connection.delivery, ports.newCorrelationId),
        refuseAs: tooManyRequests,
        revoke: () => {},
      })
    }
    connection.current?.cutOff('client-invalid')
    cut(connection.stream)
  }

  const countDropped = createDropCounter((dropped) => {
    ports.log.warn({ listener: listenerName, dropped }, 'connections were dropped: far too many')
  })

  function countConnection({ stream }: Connection): void {
    const startedAt = ports.monotonicNow()
    ports.meter.opened('connection', 'Inbound')
    stream.once('close', () => {
      ports.meter.ended({
        kind: 'connection',
        direction: 'Inbound',
        resource: undefined,
        status: undefined,
        bytesIn: 0,
        bytesOut: 0,
        durationMs: ports.monotonicNow() - startedAt,
      })
    })
  }

  function stopAccepting(): void {
    context.isDraining = true
    if (hasStopped) return
    hasStopped = true
    // Also ends connections that wait for their next request.
    listener.server.close()
    proxyIntake.destroy()
    for (const connection of context.relayed) connection.drain()
    http2.finish()
  }

  return {
    name: listenerName,
    get port() {
      return port
    },
    get open() {
      let open = context.exchanges.size
      for (const { isBusy } of context.relayed) if (isBusy) open++
      return open
    },
    async listen() {
      const own = settings()?.inbound.find(({ name }) => name === listenerName)
      if (own === undefined)
        throw new PerimeterError('RF_LISTEN', `no inbound listener \`${listenerName}\``)
      if (own.tls !== undefined && !hasSecureContext) {
        throw new PerimeterError(
          'RF_LISTEN',
          `inbound listener \`${listenerName}\` has no certificate`,
        )
      }
      const address = await listen(listener.server, own.listen, {
        onFault: (error) =>
          ports.log.error({ err: error, listener: listenerName }, 'listener fault'),
      })
      port = address.port
      // Takes its time to load: not on the first request if that can be helped, and not while others still start.
      setTimeout(() => {
        context
          .callBackend()
          .catch((error: unknown) => ports.log.error({ err: error }, 'http-proxy cannot be loaded'))
      }, preloadAfterMs).unref()
      return address
    },
    deliver(delivery) {
      const stream = listener.deliver(delivery)
      if (hasClosed) stream.destroy()
      return stream
    },
    setSecureContext(pem) {
      listener.setSecureContext(pem)
      hasSecureContext = true
    },
    stopAccepting,
    async close() {
      const closed = new Promise<void>((resolve) => {
        if (listener.server.listening) listener.server.once('close', resolve)
        else resolve()
      })
      stopAccepting()
      hasClosed = true
      for (const exchange of context.exchanges) exchange.abort('drain-timeout')
      for (const connection of context.relayed) connection.abort('drain-timeout')
      const gone = [...listener.connections].map(
        ({ stream }) =>
          new Promise<void>((resolve) => {
            stream.once('close', resolve)
            stream.destroy()
          }),
      )
      backends.destroy()
      await Promise.all([closed, ...gone])
    },
  }
}

/** The start of a whole instance takes less. */
const preloadAfterMs = 300

const connectBehind: RefuseAs = { reason: 'bad-request', detail: 'CONNECT behind another request' }

const tooManyRequests: RefuseAs = { reason: 'limit', detail: 'too many pipelined requests' }

/** What is refused whatever it asks for. */
function refusalOf({ connection, request }: ArrivedRequest): RefuseAs | undefined {
  if (connection.isTooMany) return tooManyConnections
  const { rawHeaders } = request
  if (connectionOptions(rawHeaders).has('upgrade') && wantsWebSocket(rawHeaders)) {
    return { reason: 'bad-request', detail: 'upgrade with a body or behind another request' }
  }
  return undefined
}
