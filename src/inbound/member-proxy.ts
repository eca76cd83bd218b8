import { createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { PerimeterError } from '../errors.ts'
import type { Deliver } from '../identity/caller.ts'
import type { ShownCertificate } from '../identity/client-certificate.ts'
import type { Settings } from '../settings/settings.ts'
import { closeGently } from '../transport/close-gently.ts'
import { createDropCounter } from '../transport/dropped.ts'
import { listen } from '../transport/listener.ts'
import { openTunnel, type Tunnel } from '../transport/tunnel.ts'
import { type MemberHeader, readMemberHeader } from '../wire/member-header.ts'
import { inboundRecord } from './access-record.ts'
import { type ConnectionFacts, ownPeer } from './connection-facts.ts'
import type { InboundProxy } from './inbound-proxy.ts'
import { judgeSender } from './judge-certificate.ts'
import { denial } from './judge-request.ts'
import type { InboundPorts } from './ports.ts'
import {
  type ListenerSecurity,
  secureListener,
  secureStream,
  shownCertificate,
} from './secure-stream.ts'

/** What a listener for other instances is given. */
export interface MemberPorts extends InboundPorts {
  /** Into the other listeners of this instance. */
  readonly deliver: Deliver
}

const nothing = Buffer.alloc(0)

/**
 * Takes the streams of members that other instances serve:
 *
 *   TLS, the member's certificate ─ PROXY header ─ sender is the certificate's ─ deliver
 *          └─ refused: a record, closed ┴───────────────┘
 *
 * From there on it is like a stream from a member here: the listener that serves the name judges what comes, with the
 * certificate as its evidence, and again whenever anything of that changes.
 */
export function createMemberProxy(listenerName: string, ports: MemberPorts): InboundProxy {
  const settings = (): Settings | undefined => ports.currentInForce()?.settings
  const sockets = new Set<Duplex>()
  const tunnels = new Set<Tunnel>()
  let security: ListenerSecurity | undefined
  let port: number | undefined

  const countDropped = createDropCounter((dropped) => {
    ports.log.warn({ listener: listenerName, dropped }, 'connections were dropped: too many')
  })

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', ignore)
    // Nobody is told in a protocol that instances speak among themselves.
    const isRoom = sockets.size < (settings()?.limits.connections ?? 0)
    if (!isRoom) countDropped()
    if (!isRoom || security === undefined || socket.remoteAddress === undefined) socket.destroy()
    else secure(socket, security)
  })

  function secure(socket: Socket, security: ListenerSecurity): void {
    const stream = secureStream(socket, { security, asksForCertificate: true })
    const facts = { listener: listenerName, ...ownPeer(socket), delivery: undefined }
    stream.on('error', ignore)
    sockets.add(stream)
    // For the handshake and the header together: who has not said by then for whom it comes is no instance.
    const timer = setTimeout(() => stream.destroy(), settings()?.timeouts.headerMs ?? 0)
    stream.once('close', () => {
      clearTimeout(timer)
      sockets.delete(stream)
      socket.destroy()
    })
    stream.once('secure', () => {
      const trusted = ownSettings()?.tls?.clientCertificates
      const certificate = trusted && shownCertificate(stream, trusted, { now: ports.now() })
      takeHeader(stream, (header, rest) => {
        clearTimeout(timer)
        if (header === undefined) refuse(stream, { facts, reason: 'bad-request', detail: noHeader })
        else receive(stream, { facts, certificate, header, rest })
      })
    })
  }

  function receive(stream: TLSSocket, arrived: Arrived): void {
    const { facts, certificate, header, rest } = arrived
    const inForce = ports.currentInForce()
    const own = ownSettings()
    if (inForce === undefined || own === undefined || certificate === undefined) {
      refuse(stream, { facts, reason: 'unknown-caller', detail: 'no client certificate' })
      return
    }
    const sender = judgeSender({ certificate, sender: header.sender }, own, {
      inForce,
      now: ports.now(),
    })
    if (sender.kind === 'refused') {
      refuse(stream, { facts, reason: 'unknown-caller', detail: sender.note })
      return
    }
    const { name, targetPort, correlationId, address: peer, port: peerPort } = header
    const target = inForce.snapshot.resourcesByHost.get(name)
    const remote = { listener: listenerName, certificate, sender: header.sender }
    const delivered =
      target &&
      ports.deliver(target.id, {
        source: sender.resource,
        name,
        port: targetPort,
        correlationId,
        peer,
        peerPort,
        remote,
      })
    if (delivered === undefined) {
      refuse(stream, { facts, reason: 'unknown-resource', detail: 'nothing is served there' })
      return
    }
    join(stream, { delivered, rest })
  }

  function join(stream: TLSSocket, joined: { delivered: Duplex; rest: Buffer }): void {
    const { tunnelIdleMs = 0, tunnelLifetimeMs = 0 } = settings()?.timeouts ?? {}
    const tunnel = openTunnel({
      client: stream,
      upstream: joined.delivered,
      clientHead: joined.rest,
      upstreamHead: nothing,
      idleMs: tunnelIdleMs,
      lifetimeMs: tunnelLifetimeMs,
      onClose: () => tunnels.delete(tunnel),
    })
    tunnels.add(tunnel)
  }

  /** There is no answer to give; the record says why. */
  function refuse(
    stream: Duplex,
    why: {
      readonly facts: ConnectionFacts
      readonly reason: 'unknown-caller' | 'unknown-resource' | 'bad-request'
      readonly detail: string
    },
  ): void {
    const { facts, ...parts } = why
    const policyVersion = ports.currentInForce()?.version ?? ''
    const judgement = denial(facts, { ...parts, policyVersion })
    const correlationId = ports.newCorrelationId()
    ports.accessLog.accept(inboundRecord({ facts, judgement, correlationId, time: ports.now() }))
    closeGently(stream)
  }

  function ownSettings() {
    return settings()?.inbound.find(({ name }) => name === listenerName)
  }

  return {
    name: listenerName,
    get port() {
      return port
    },
    get open() {
      return tunnels.size
    },
    async listen() {
      const own = ownSettings()
      if (own === undefined || security === undefined) {
        const what = own === undefined ? 'settings' : 'certificate'
        throw new PerimeterError('RF_LISTEN', `inbound listener \`${listenerName}\` has no ${what}`)
      }
      const address = await listen(server, own.listen, {
        onFault: (error) =>
          ports.log.error({ err: error, listener: listenerName }, 'listener fault'),
      })
      port = address.port
      return address
    },
    deliver() {
      throw new Error('a listener for other instances serves no resource of its own')
    },
    setSecureContext(pem) {
      security = secureListener(pem)
    },
    stopAccepting() {
      server.close()
    },
    async close() {
      const closed = new Promise<void>((resolve) => {
        if (server.listening) server.close(() => resolve())
        else resolve()
      })
      for (const tunnel of tunnels) tunnel.end('drain-timeout')
      for (const stream of sockets) stream.destroy()
      await closed
    },
  }
}

const noHeader = 'no PROXY header that says who sends it and to whom'

interface Arrived {
  readonly facts: ConnectionFacts
  readonly certificate: ShownCertificate | undefined
  readonly header: MemberHeader
  readonly rest: Buffer
}

/** Reads as far as the header goes; what came behind it is handed over. Undefined: it is none. */
function takeHeader(
  stream: TLSSocket,
  onHeader: (header: MemberHeader | undefined, rest: Buffer) => void,
): void {
  let received = nothing
  const finish = (header: MemberHeader | undefined, rest: Buffer): void => {
    stream.off('data', onData)
    stream.off('end', onEnd)
    stream.pause()
    onHeader(header, rest)
  }
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk])
    const found = readMemberHeader(received)
    if (found === 'malformed') finish(undefined, nothing)
    else if (found !== 'incomplete') finish(found.header, received.subarray(found.length))
  }
  const onEnd = (): void => finish(undefined, nothing)
  stream.on('data', onData)
  stream.once('end', onEnd)
}

function ignore(): void {}
