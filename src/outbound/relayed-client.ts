import type { CloseReason } from '../reasons.ts'
import type { Crossing } from '../transport/relay/crossing.ts'
import {
  RelayConnection,
  type RelayLimits,
  type RelayOwner,
  type Unreadable,
} from '../transport/relay/relay-connection.ts'
import { KiB, seconds } from '../units.ts'
import type { ClientConnection } from './client-connections.ts'
import { ConnectRequest } from './connect-request.ts'
import { ForwardReader } from './forward-reader.ts'
import { OpenSlot } from './open-slot.ts'
import type { ProxyContext, Relayed } from './proxy-context.ts'
import { RelayedForward } from './relayed-forward.ts'
import { asksForWebSocket } from './upgrade.ts'

/** Before a policy is loaded; nothing is forwarded then. */
const fallback: RelayLimits = {
  limits: { headerBytes: 16 * KiB },
  timeouts: { headerMs: seconds(10), keepAliveMs: seconds(60), bodyIdleMs: seconds(60) },
}

export interface RelayedClientOptions {
  readonly connection: ClientConnection
  /** Answers and records bytes that are no request. */
  readonly refuse: (why: Unreadable, connection: ClientConnection) => Buffer
  /** Serves the bytes and what follows them by Node's parser, for what the relay does not carry. */
  readonly stepBack: (connection: ClientConnection, bytes: Buffer) => void
}

/**
 * A client of the forward proxy that the relay serves:
 *
 *   absolute-form ─▶ RelayedForward     CONNECT ─▶ ConnectRequest     an upgrade ─▶ the library lane
 */
export class RelayedClient implements RelayOwner, Relayed {
  readonly answersNoise = true
  readonly #context: ProxyContext
  readonly #options: RelayedClientOptions
  readonly #relay: RelayConnection
  readonly #reader: ForwardReader
  readonly #slot = new OpenSlot()
  #request: RelayedForward | undefined

  constructor(context: ProxyContext, options: RelayedClientOptions) {
    this.#context = context
    this.#options = options
    this.#reader = new ForwardReader(context.via)
    context.relayed.add(this)
    this.#relay = new RelayConnection(options.connection.socket, this)
  }

  get isBusy(): boolean {
    return this.#request !== undefined
  }

  end(reason: CloseReason): void {
    this.#request?.end(reason)
  }

  drain(): void {
    this.#relay.drain()
  }

  policyChanged(): void {
    this.#reader.forget()
  }

  limits(): RelayLimits {
    return this.#context.ports.currentInForce()?.settings ?? fallback
  }

  isDraining(): boolean {
    return this.#context.isStopping
  }

  onClose(): void {
    this.#context.relayed.delete(this)
    this.#context.ports.openConnections.unregister(this.#slot.entry)
    this.#reader.forget()
  }

  onUnreadable(why: Unreadable): void {
    this.#relay.answerLast(this.#options.refuse(why, this.#options.connection))
  }

  onRequest(crossing: Crossing): void {
    const { connection, stepBack } = this.#options
    const { method, target, block } = crossing
    const { peer, socket } = connection
    if (method === 'CONNECT') {
      const head = this.#relay.handOver()
      const { httpVersion, rawHeaders } = block
      const request = { target, httpVersion, rawHeaders }
      void new ConnectRequest(this.#context, { client: socket, head, peer }).serve(request)
    } else if (block.upgrades && asksForWebSocket({ method, ...block })) {
      stepBack(connection, this.#relay.handBack())
    } else {
      const given = { crossing, peer, reader: this.#reader, slot: this.#slot, onOver: this.#onOver }
      this.#request = new RelayedForward(this.#context, given)
      this.#request.serve()
    }
  }

  readonly #onOver = (): void => {
    this.#request = undefined
  }
}
