import { createServer, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { PerimeterError } from '../errors.ts'
import type { Settings } from '../settings/settings.ts'
import type { Dial } from '../transport/dial.ts'
import { createDialAuthority } from '../transport/dial-authority.ts'
import { answeredBeyondLimit, createDropCounter } from '../transport/dropped.ts'
import { listen } from '../transport/listener.ts'
import { tunnelSlotsOf } from '../transport/tunnel-slots.ts'
import type { ProxyHeader } from '../wire/proxy-protocol.ts'
import type { RefuseAs } from './admit.ts'
import { type ConnectionFacts, ownPeer } from './connection-facts.ts'
import type { InboundProxy } from './inbound-proxy.ts'
import type { InboundPorts } from './ports.ts'
import { createProxyIntake } from './proxy-intake.ts'
import {
  type ListenerSecurity,
  secureListener,
  secureStream,
  shownCertificate,
} from './secure-stream.ts'
import { TcpConnection, type TcpContext } from './tcp-connection.ts'

/** What a listener in front of a `tcp:` back end is given. */
export interface TcpPorts extends InboundPorts {
  readonly dial: Dial
}

const tooManyConnections: RefuseAs = { reason: 'limit', detail: 'too many connections' }

/**
 * The reverse proxy of one listener whose resource has a `tcp:` back end: it decides once a connection and then moves
 * bytes. Its settings are looked up by name for each connection, so that a reload changes everything but the address.
 */
export function createTcpProxy(listenerName: string, ports: TcpPorts): InboundProxy {
  const settings = (): Settings | undefined => ports.currentInForce()?.settings
  const context: TcpContext = {
    ports,
    // What comes back here would be let in again, and so on until nobody else is.
    dialBackend: createDialAuthority(ports.dial, {
      isOwn: (address, port) => ports.currentInForce()?.guard.isOwnListener(address, port) === true,
    }),
    slots: tunnelSlotsOf(ports.openConnections),
    open: new Set(),
  }
  const streams = new Set<Duplex>()
  const proxyIntake = createProxyIntake(listenerName, ports)
  let port: number | undefined
  let hasClosed = false
  let security: ListenerSecurity | undefined

  const countDropped = createDropCounter((dropped) => {
    ports.log.warn({ listener: listenerName, dropped }, 'connections were dropped: far too many')
  })

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // CVE-2023-2968: reset while it was accepted, so that nobody can say any more who it was.
    if (socket.remoteAddress === undefined) socket.destroy()
    else takeSocket(socket)
  })

  function takeSocket(socket: Socket): void {
    socket.on('error', ignore)
    const from = ownPeer(socket)
    const facts = { listener: listenerName, ...from, delivery: undefined }
    if (!isRoomFor(socket)) return
    const onHeader = (proxied: ProxyHeader): void => receive(socket, { ...facts, proxied })
    if (!proxyIntake.take(socket, { from, onHeader })) receive(socket, facts)
  }

  function isRoomFor(stream: Duplex): boolean {
    const limit = settings()?.limits.connections ?? 0
    if (streams.size + proxyIntake.size < limit + answeredBeyondLimit) return true
    countDropped()
    stream.destroy()
    return false
  }

  function receive(socket: Socket, facts: ConnectionFacts): void {
    if (security === undefined) accept(socket, facts)
    else secure(socket, { security, facts })
  }

  /** Ends TLS in front of the back end, for the certificate that the client shows. */
  function secure(
    socket: Socket,
    { security, facts }: { readonly security: ListenerSecurity; readonly facts: ConnectionFacts },
  ): void {
    const stream = secureStream(socket, { security, asksForCertificate: true })
    stream.on('error', ignore)
    count(stream)
    const timer = setTimeout(() => stream.destroy(), settings()?.timeouts.headerMs ?? 0)
    stream.once('close', () => {
      clearTimeout(timer)
      socket.destroy()
    })
    stream.once('secure', () => {
      const own = settings()?.inbound.find(({ name }) => name === listenerName)
      const trusted = own?.tls?.clientCertificates
      const certificate = trusted && shownCertificate(stream, trusted, { now: ports.now() })
      clearTimeout(timer)
      serve(stream, { ...facts, certificate })
    })
  }

  function accept(stream: Duplex, facts: ConnectionFacts): void {
    count(stream)
    serve(stream, facts)
  }

  /** It is counted already. */
  function serve(stream: Duplex, facts: ConnectionFacts): void {
    const limit = settings()?.limits.connections ?? 0
    const refuseAs = streams.size + proxyIntake.size > limit ? tooManyConnections : undefined
    void new TcpConnection(context, { stream, facts }).serve(refuseAs)
  }

  function count(stream: Duplex): void {
    const startedAt = ports.monotonicNow()
    streams.add(stream)
    ports.meter.opened('connection', 'Inbound')
    stream.once('close', () => {
      streams.delete(stream)
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
    server.close()
    proxyIntake.destroy()
  }

  return {
    name: listenerName,
    get port() {
      return port
    },
    get open() {
      return context.open.size
    },
    async listen() {
      const own = settings()?.inbound.find(({ name }) => name === listenerName)
      if (own === undefined)
        throw new PerimeterError('RF_LISTEN', `no inbound listener \`${listenerName}\``)
      if (own.tls !== undefined && security === undefined) {
        throw new PerimeterError(
          'RF_LISTEN',
          `inbound listener \`${listenerName}\` has no certificate`,
        )
      }
      const address = await listen(server, own.listen, {
        onFault: (error) =>
          ports.log.error({ err: error, listener: listenerName }, 'listener fault'),
      })
      port = address.port
      return address
    },
    deliver(delivery) {
      const [theirs, ours] = duplexPair()
      // Theirs to handle, but an end of ours must never be an unhandled error of theirs, nor the reverse.
      theirs.on('error', ignore)
      ours.on('error', ignore)
      // Node's pair tells of an end only; a side whose peer was destroyed would wait for it for ever.
      theirs.once('close', () => closeWith(theirs, ours))
      ours.once('close', () => closeWith(ours, theirs))
      const facts = { listener: listenerName, ...ownPeer(undefined), delivery }
      if (hasClosed) theirs.destroy()
      else if (isRoomFor(ours)) accept(ours, facts)
      return theirs
    },
    // Without it TLS passes through: the back end has the certificate.
    setSecureContext(pem) {
      security = secureListener(pem)
    },
    stopAccepting,
    async close() {
      hasClosed = true
      const closed = new Promise<void>((resolve) => {
        if (server.listening) server.once('close', resolve)
        else resolve()
      })
      stopAccepting()
      const over = [...context.open].map((connection) => {
        connection.end('drain-timeout')
        return connection.over
      })
      const gone = [...streams].map(
        (stream) =>
          new Promise<void>((resolve) => {
            stream.once('close', resolve)
            stream.destroy()
          }),
      )
      await Promise.all([closed, ...over, ...gone])
    },
  }
}

/** What was cut short on one side of a pair must not look like an end on the other. */
function closeWith(closed: Duplex, other: Duplex): void {
  other.destroy(closed.writableFinished ? undefined : new Error('cut off'))
}

function ignore(): void {}
