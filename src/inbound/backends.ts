import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { Backend } from '../perimeter/resource.ts'
import { UpstreamPool } from '../transport/relay/upstream-pool.ts'
import type { BackendAuthorities } from '../settings/in-force.ts'
import { seconds } from '../units.ts'
import { formatAuthority } from '../wire/authority.ts'
import { BackendSessions } from './http2-backend.ts'
import { type BackendPhase, connectDeadlineCode } from '../transport/backend-failure.ts'

/** A back end, ready to be called. */
export interface BackendTarget {
  readonly scheme: 'http' | 'https'
  /** Without brackets. */
  readonly host: string
  readonly port: number
  /** Keeps connections for the next request. */
  readonly pooled: HttpAgent
  /** A connection of its own for each call: a second attempt, an upgrade. */
  readonly fresh: HttpAgent
  /** Those that speak HTTP/2; `https` only. */
  readonly sessions: BackendSessions | undefined
  /** Those of the relay. */
  readonly upstreams: UpstreamPool
}

export interface Backends {
  /**
   * Undefined: it speaks no HTTP. `authorities` are those in force with the back end; throws where its own is not among
   * them, for without it any public authority could vouch for the back end.
   */
  target(backend: Backend, authorities: BackendAuthorities | undefined): BackendTarget | undefined
  /** How far the connection of a call has come. */
  phaseOf(socket: Duplex | null): BackendPhase
  /** Connections that are open, idle ones included. */
  readonly open: number
  /** Destroys all of them. */
  destroy(): void
}

/**
 * Idle connections are given up early: a back end that closes one just as the next request arrives costs that request,
 * and 5 s is the shortest default in use (Node's own). A shorter `Keep-Alive` hint is kept by Node's agent.
 */
const idleMs = seconds(4)

/** PEM text; undefined: the system's authorities. */
type AuthorityPem = string | undefined

interface ConnectionKind {
  readonly isSecure: boolean
  readonly isNamed: boolean
  readonly allowHalfOpen: boolean
}

/** Connections to back ends: pools, deadlines, verification. `connectMs` is for name, connection and handshake together. */
export function createBackends(options: { readonly connectMs: () => number }): Backends {
  // A reload reads back ends anew and keeps their connections: the pools are those of the address, not of the object.
  // Where the authority has changed they are made anew, and the old ones run dry by themselves.
  const byAddress = new Map<string, { readonly target: BackendTarget; readonly ca: AuthorityPem }>()
  const byBackend = new WeakMap<Backend, BackendTarget>()
  const phases = new WeakMap<Duplex, BackendPhase>()
  const sockets = new Set<Socket>()
  const pools = new Set<UpstreamPool>()

  function createTarget(
    scheme: 'http' | 'https',
    to: { authority: Backend['authority']; ca: AuthorityPem },
  ): BackendTarget {
    const { host, port } = to.authority
    const name = host.kind === 'name' ? host.name : undefined
    const secure = {
      // Node would take the name to verify from Host, which the client wrote. Literals are verified as addresses.
      servername: name ?? '',
      rejectUnauthorized: true,
      ...(to.ca === undefined ? {} : { ca: to.ca }),
    }
    const pool = { keepAlive: true, timeout: idleMs, scheduling: 'lifo' } as const
    const isSecure = scheme === 'https'
    const agents = isSecure
      ? { pooled: new HttpsAgent({ ...pool, ...secure }), fresh: new HttpsAgent(secure) }
      : { pooled: new HttpAgent(pool), fresh: new HttpAgent() }
    const isNamed = name !== undefined
    watchConnections(agents.pooled, { isSecure, isNamed, allowHalfOpen: false })
    // A tunnel needs both directions apart; in a pool Node would take a connection that the peer has ended for a good one.
    watchConnections(agents.fresh, { isSecure, isNamed, allowHalfOpen: true })
    const address = {
      host: name ?? (host.kind === 'address' ? host.text : ''),
      port,
      ...(isSecure ? { tls: { servername: secure.servername, ca: secure.ca } } : {}),
    }
    const upstreams = new UpstreamPool({ address, connectMs: options.connectMs })
    pools.add(upstreams)
    const sessions = isSecure
      ? new BackendSessions({
          connect() {
            const socket = connectTls({
              ...secure,
              host: address.host,
              port,
              ALPNProtocols: ['h2'],
            })
            watch(socket, { isSecure, isNamed, allowHalfOpen: false })
            return socket
          },
          phaseOf,
          connectMs: options.connectMs,
        })
      : undefined
    return { scheme, host: address.host, port, ...agents, sessions, upstreams }
  }

  function watchConnections(agent: HttpAgent, kind: ConnectionKind): void {
    const connect = agent.createConnection.bind(agent)
    agent.createConnection = (parameters, callback) => {
      const { allowHalfOpen } = kind
      const socket = connect(Object.assign(parameters, { allowHalfOpen }), callback)
      if (socket instanceof Socket) watch(socket, kind)
      return socket
    }
  }

  function watch(socket: Socket, kind: ConnectionKind): void {
    sockets.add(socket)
    phases.set(socket, kind.isNamed ? 'resolving' : 'connecting')
    // The agent's idle time is none of a connection that is still being made.
    socket.setTimeout(0)
    socket.setNoDelay(true)
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error('connect deadline'), { code: connectDeadlineCode }))
    }, options.connectMs())
    const ready = (): void => {
      clearTimeout(timer)
      phases.set(socket, 'ready')
    }
    socket.on('lookup', (error: Error | null) => {
      if (error === null && phases.get(socket) === 'resolving') phases.set(socket, 'connecting')
    })
    socket.once('connect', () => {
      if (kind.isSecure) phases.set(socket, 'securing')
      else ready()
    })
    if (kind.isSecure) socket.once('secureConnect', ready)
    socket.once('close', () => {
      clearTimeout(timer)
      sockets.delete(socket)
    })
  }

  function phaseOf(socket: Duplex | null): BackendPhase {
    return socket === null ? 'connecting' : (phases.get(socket) ?? 'connecting')
  }

  return {
    target(backend, authorities) {
      const known = byBackend.get(backend)
      if (known !== undefined) return known
      const { scheme, authority, caFile } = backend
      if (scheme === 'tcp') return undefined
      const ca = caFile === undefined ? undefined : authorities?.get(caFile)
      if (caFile !== undefined && ca === undefined) throw new Error('its authority was not read')
      const address = `${scheme}://${formatAuthority(authority)} ${caFile ?? ''}`
      const pooled = byAddress.get(address)
      const target = pooled?.ca === ca ? pooled?.target : undefined
      const made = target ?? createTarget(scheme, { authority, ca })
      byBackend.set(backend, made)
      byAddress.set(address, { target: made, ca })
      return made
    },
    phaseOf,
    get open() {
      let open = sockets.size
      for (const pool of pools) open += pool.open
      return open
    },
    destroy() {
      for (const socket of sockets) socket.destroy()
      for (const pool of pools) pool.destroy()
    },
  }
}
