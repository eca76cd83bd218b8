import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FailureReason } from '../reasons.ts'
import type { CancelSignal } from '../transport/cancellation.ts'
import type { Dialled, ReadBy } from '../transport/dial.ts'
import type { DialAuthority } from '../transport/dial-authority.ts'
import { secureClient } from '../transport/secure-client.ts'
import { monotonicNow } from '../transport/slices.ts'
import type { IpAddress } from '../wire/address.ts'
import { writeMemberHeader } from '../wire/member-header.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { type OwnVia, viaBehind } from '../wire/via.ts'
import { findCandidates, vet } from './candidates.ts'
import { describeDestination, type Exchange } from './exchange.ts'
import { memberNameIn } from './member-name.ts'
import type { OutboundPorts } from './ports.ts'
import { complain, connectThrough } from './upstream-proxy.ts'
import {
  type Admitted,
  type Asked,
  decide,
  denied,
  type Denied,
  refuseProxied,
  type Route,
} from './verdict.ts'

/**
 * From an admitted request to a stream that leads to its destination:
 *
 *   fronted ────────────────────────────────────────────────▶ record ─▶ deliver
 *   peer ───────────────────────────────────────────────────▶ record ─▶ dial its endpoint
 *   proxied ─▶ guard of a literal ──────────────────────────▶ record ─▶ dial the upstream proxy and ask it
 *   outside ─▶ literal, fixed answer or DNS ─▶ guard ───────▶ record ─▶ dial what is vetted
 *                                               └─ nothing left: denied
 *
 * The policy may change while a name is resolved: the request is decided again before it goes on. What changes during
 * the dial is caught when the caller registers what it got.
 */

export type Upstream =
  | { readonly kind: 'delivered'; readonly stream: Duplex }
  | { readonly kind: 'dialled'; readonly stream: Socket }

export type Reached =
  /** The caller owns the stream. It is not registered yet. */
  | {
      readonly kind: 'reached'
      readonly upstream: Upstream
      readonly admitted: Admitted
      readonly address: IpAddress | undefined
    }
  | Refused
  /** Recorded as allowed. */
  | { readonly kind: 'failed'; readonly reason: FailureReason; readonly message?: string }
  /** The client went away. Recorded as allowed. */
  | { readonly kind: 'gone' }

/** Denied after all. Not recorded yet. */
export interface Refused extends Denied {
  readonly address?: IpAddress
  readonly detail?: string
}

export interface ReachOptions {
  readonly exchange: Exchange
  readonly asked: Asked
  readonly admitted: Admitted
  readonly ports: OutboundPorts
  /** For the endpoints of peers and the upstream proxy. */
  readonly dialPeer: DialAuthority
  readonly protocol: string
  /** Of the request: which listeners it has passed. */
  readonly rawHeaders: RawHeaders
  readonly via: OwnVia
  /** Aborted when the client goes away. */
  readonly signal: CancelSignal
  /** Who alone can read what is dialled; absent: whoever likes. */
  readonly readBy?: ReadBy | undefined
}

/** Never dials what has not been decided and vetted by what was in force at that moment. */
export async function reach(options: ReachOptions): Promise<Reached> {
  const { admitted } = options
  switch (admitted.route.kind) {
    case 'fronted':
      return deliverTo(admitted.route, options)
    case 'peer':
      return dialPeer(admitted.route, options)
    case 'proxied':
      return dialProxied(admitted.route, options)
    case 'outside':
      return dialOutside(options)
  }
}

function deliverTo(route: Extract<Route, { kind: 'fronted' }>, options: ReachOptions): Reached {
  const { exchange, asked, admitted, ports, signal } = options
  allow(options)
  if (signal.aborted) return { kind: 'gone' }
  const { peer, peerPort } = exchange.origin
  const stream = ports.deliver(route.member.id, {
    source: admitted.resource.id,
    name: route.name,
    port: asked.destination.port,
    correlationId: exchange.correlationId,
    peer,
    peerPort,
  })
  // No inbound listener has that port: to the client it is a closed one.
  if (stream === undefined) return { kind: 'failed', reason: 'connect-refused' }
  stream.on('error', ignore)
  return {
    kind: 'reached',
    upstream: { kind: 'delivered', stream },
    admitted,
    address: undefined,
  }
}

async function dialPeer(
  route: Extract<Route, { kind: 'peer' }>,
  options: ReachOptions,
): Promise<Reached> {
  const { admitted, signal, readBy } = options
  allow(options)
  if (signal.aborted) return { kind: 'gone' }
  const timeoutMs = admitted.inForce.settings.timeouts.connectMs
  const authority = route.endpoint
  if (route.tls !== undefined) return dialMember(route, options)
  return settle(await options.dialPeer({ authority, timeoutMs, signal, readBy }), options)
}

/** To an instance that asks who sends: proven by the member's certificate, and said in front of the stream. */
async function dialMember(
  route: Extract<Route, { kind: 'peer' }>,
  options: ReachOptions,
): Promise<Reached> {
  const { admitted, asked, exchange, ports, signal } = options
  const credentials = credentialsFor(route, admitted)
  if (credentials === undefined) {
    const resource = admitted.resource.id.text
    ports.log.error({ resource }, 'a member has no certificate to prove itself to another instance')
    return { kind: 'failed', reason: 'tls-failed' }
  }
  const { connectMs } = admitted.inForce.settings.timeouts
  const until = monotonicNow() + connectMs
  const authority = route.endpoint
  const dialled = await options.dialPeer({ authority, timeoutMs: connectMs, signal })
  if (dialled.kind === 'failed') return signal.aborted ? { kind: 'gone' } : dialled
  const timeoutMs = until - monotonicNow()
  const stream = await secureClient(dialled.socket, { ...credentials, timeoutMs, signal })
  if (stream === undefined) {
    return signal.aborted ? { kind: 'gone' } : { kind: 'failed', reason: 'tls-failed' }
  }
  const { peer: address, peerPort: port } = exchange.origin
  stream.write(
    writeMemberHeader({
      address,
      port,
      sender: credentials.sender,
      name: route.name,
      targetPort: asked.destination.port,
      correlationId: exchange.correlationId,
    }),
  )
  const upstream = { kind: 'dialled', stream } as const
  return { kind: 'reached', upstream, admitted, address: dialled.address }
}

/** What proves the member, and what the other instance is verified by. Undefined: settings have none for this member. */
function credentialsFor({ tls }: Extract<Route, { kind: 'peer' }>, admitted: Admitted) {
  const { settings, backendAuthorities } = admitted.inForce
  const own = settings.resources.find(({ id }) => id.key === admitted.resource.id.key)
  const [ca, cert, key] = [
    tls?.caFile,
    own?.memberCertificate?.certificateFile,
    own?.memberCertificate?.keyFile,
  ].map((file) => (file === undefined ? undefined : backendAuthorities.get(file)))
  const sender = cert === undefined ? undefined : memberNameIn(cert)
  const isComplete = ca !== undefined && cert !== undefined && key !== undefined
  if (!isComplete || sender === undefined || tls === undefined) return undefined
  return { ca, cert, key, sender, name: tls.name }
}

async function dialProxied(
  { proxy }: Extract<Route, { kind: 'proxied' }>,
  options: ReachOptions,
): Promise<Reached> {
  const { asked, admitted, signal, ports, rawHeaders, via, readBy } = options
  const { inForce, resource } = admitted
  const { destination } = asked
  const refusal = refuseProxied(destination, inForce)
  if (refusal !== undefined) {
    const { reason, detail } = refusal
    const { host } = destination
    const address = host.kind === 'address' ? { address: host } : {}
    return { ...denied(reason, resource, inForce.version), detail, ...address }
  }
  allow(options)
  if (signal.aborted) return { kind: 'gone' }
  const through = await connectThrough({
    proxy,
    destination,
    authorization: inForce.proxyAuthorization(),
    ca: proxy.caFile === undefined ? undefined : inForce.backendAuthorities.get(proxy.caFile),
    via: viaBehind(rawHeaders, via),
    maySpeakFirst: readBy === 'tunnel',
    dial: options.dialPeer,
    timeoutMs: inForce.settings.timeouts.connectMs,
    signal,
  })
  if (through.kind === 'failed') {
    if (signal.aborted) return { kind: 'gone' }
    complain(ports.log, proxy, through)
    return through
  }
  const { socket } = through
  if (signal.aborted) {
    socket.destroy()
    return { kind: 'gone' }
  }
  const upstream = { kind: 'dialled', stream: socket } as const
  return { kind: 'reached', upstream, admitted, address: undefined }
}

async function dialOutside(options: ReachOptions): Promise<Reached> {
  const { asked, admitted, ports, signal } = options
  const { inForce } = admitted
  const { resolver } = ports
  const { host, port } = asked.destination
  const found = findCandidates(host, { inForce, resolver })
  const resolution = found instanceof Promise ? await unlessGone(signal, found) : found
  const current = ports.currentInForce()
  if (current?.version !== inForce.version) {
    const again = decide(asked, current)
    if (again.kind === 'denied') return again
    if (again.route.kind !== 'outside') return reach({ ...options, admitted: again })
    return dialVetted({ ...options, admitted: again }, { resolution, port })
  }
  return dialVetted(options, { resolution, port })
}

async function dialVetted(
  options: ReachOptions,
  found: { resolution: Awaited<ReturnType<typeof findCandidates>> | undefined; port: number },
): Promise<Reached> {
  const { asked, admitted, ports, signal, readBy } = options
  const { resolution, port } = found
  if (resolution?.kind !== 'resolved') {
    allow(options)
    return resolution ?? { kind: 'gone' }
  }
  const { addresses, refused } = vet(resolution.addresses, asked, admitted.inForce)
  if (addresses.length === 0) {
    const { reason = 'address-not-public', ...rest } = refused ?? {}
    return { ...denied(reason, admitted.resource, admitted.inForce.version), ...rest }
  }
  allow(options, addresses[0])
  if (signal.aborted) return { kind: 'gone' }
  const timeoutMs = admitted.inForce.settings.timeouts.connectMs
  return settle(await ports.dial({ addresses, port, timeoutMs, signal, readBy }), options)
}

/** What became of a dial, for a client that may have gone meanwhile. */
function settle(dialled: Dialled, { admitted, signal }: ReachOptions): Reached {
  if (dialled.kind === 'failed') return signal.aborted ? { kind: 'gone' } : dialled
  const { socket, address } = dialled
  socket.on('error', ignore)
  if (signal.aborted) {
    socket.destroy()
    return { kind: 'gone' }
  }
  return { kind: 'reached', upstream: { kind: 'dialled', stream: socket }, admitted, address }
}

function allow(options: ReachOptions, address?: IpAddress): void {
  const { exchange, asked, admitted, protocol } = options
  const destination = describeDestination(asked, { protocol, admitted, address })
  exchange.record(admitted.decision, { destination })
}

/** Undefined as soon as the client is gone; the work itself ends at its own deadline. */
async function unlessGone<T>(signal: CancelSignal, work: Promise<T>): Promise<T | undefined> {
  if (signal.aborted) return undefined
  const { promise: gone, resolve } = Promise.withResolvers<undefined>()
  const leave = (): void => resolve(undefined)
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([gone, work])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

function ignore(): void {
  // Whoever uses the stream hears of it through its end.
}
