import type { IncomingMessage } from 'node:http'
import type { Backend } from '../perimeter/resource.ts'
import type { CloseReason, FailureReason } from '../reasons.ts'
import type { TunnelSlots } from '../transport/tunnel-slots.ts'
import type { OwnVia } from '../wire/via.ts'
import type { Backends, BackendTarget } from './backends.ts'
import type { CallBackend } from './http-proxy.ts'
import type { Connection } from './connection.ts'
import type { Exchange } from './exchange.ts'
import type { RequestFacts } from './judge-request.ts'
import type { InboundPorts } from './ports.ts'

/** A connection that the relay serves. */
export interface Relayed {
  /** A request is under way. */
  readonly isBusy: boolean
  /** Ends the request under way, because the perimeter or the process wants it to. */
  abort(reason: CloseReason): void
  /** Ends it if it is idle, else with the answer under way, which is its last. */
  drain(): void
}

/** What the parts of one inbound proxy share. */
export interface InboundContext {
  readonly listenerName: string
  readonly ports: InboundPorts
  readonly via: OwnVia
  readonly backends: Backends
  /** Loaded with the first listener. */
  readonly callBackend: () => Promise<CallBackend>
  /** Everything that is open. */
  readonly exchanges: Set<Exchange>
  readonly slots: TunnelSlots
  /** Connections that the relay serves. */
  readonly relayed: Set<Relayed>
  /** Draining: each answer is the last of its connection. */
  isDraining: boolean
}

/** The back end, ready to be called, or why it cannot be. */
export function findTarget(
  { backends, ports, listenerName }: InboundContext,
  backend: Backend,
): BackendTarget | FailureReason {
  try {
    const target = backends.target(backend, ports.currentInForce()?.backendAuthorities)
    if (target !== undefined) return target
    ports.log.error({ listener: listenerName }, 'a tcp back end cannot be sent HTTP')
    return 'backend-invalid'
  } catch (error) {
    ports.log.error({ err: error, listener: listenerName }, 'a back end cannot be verified')
    return 'tls-failed'
  }
}

/** As Node's parser gives it. */
type ArrivedHead = Pick<IncomingMessage, 'method' | 'url' | 'httpVersion' | 'rawHeaders'>

/** The request as facts. */
export function factsOf(
  { listenerName }: Pick<InboundContext, 'listenerName'>,
  { request, connection }: { readonly request: ArrivedHead; readonly connection: Connection },
): RequestFacts {
  const { isSecure, peer, peerPort, proxied, certificate, delivery } = connection
  return {
    listener: listenerName,
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersion: request.httpVersion,
    rawHeaders: request.rawHeaders,
    isSecure,
    peer,
    peerPort,
    proxied,
    certificate,
    delivery,
    token: undefined,
  }
}
