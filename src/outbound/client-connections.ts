import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { parsePeer } from '../identity/evidence.ts'
import type { IpAddress } from '../wire/address.ts'
import type { Peer } from './exchange.ts'
import type { Direct } from './forward-head.ts'
import type { Unanswered } from './proxy-context.ts'

/** A client's connection to the proxy. */
export interface ClientConnection {
  readonly socket: Socket
  readonly peer: Peer
  readonly openedAt: number
  /** Requests on it that have not been answered in full, in order. */
  readonly unanswered: Map<ServerResponse, Unanswered>
  /** What is to be done when they have been. */
  afterLast: (() => void) | undefined
  /** The request that came last. */
  latest: IncomingMessage | undefined
  /** Requests that came after it was refused. */
  ignored: number
  /** Requests on it are as to a server; undefined: as to a proxy. */
  direct: Direct | undefined
  /** It has been refused as a whole: whatever it asks for is ignored. */
  isRefused: boolean
}

interface LastPeer {
  readonly text: string | undefined
  readonly address: IpAddress | undefined
}

/** The open connections of one listener. What is not in it is gone. */
export class ClientConnections {
  readonly #bySocket = new Map<unknown, ClientConnection>()

  #admitted = 0
  #lastPeer: LastPeer = { text: undefined, address: undefined }
  #empty: PromiseWithResolvers<void> | undefined

  /** Those that have not been refused. */
  get admitted(): number {
    return this.#admitted
  }

  /** All of them. */
  get size(): number {
    return this.#bySocket.size
  }

  /** Files the connection until its socket closes. */
  add(socket: Socket, options: { isRefused: boolean; openedAt: number }): ClientConnection {
    const { isRefused, openedAt } = options
    const peer: Peer = {
      address: this.#addressOf(socket.remoteAddress),
      port: socket.remotePort,
    }
    const connection: ClientConnection = {
      socket,
      peer,
      openedAt,
      isRefused,
      unanswered: new Map(),
      afterLast: undefined,
      latest: undefined,
      ignored: 0,
      direct: undefined,
    }
    this.#bySocket.set(socket, connection)
    if (!isRefused) this.#admitted++
    socket.once('close', () => {
      this.#bySocket.delete(socket)
      if (!isRefused) this.#admitted--
      if (this.#bySocket.size === 0) this.#empty?.resolve()
    })
    return connection
  }

  /** Those who ask are few, and they come again. */
  #addressOf(text: string | undefined): IpAddress | undefined {
    if (text !== this.#lastPeer.text) this.#lastPeer = { text, address: parsePeer(text) }
    return this.#lastPeer.address
  }

  get(socket: unknown): ClientConnection | undefined {
    return this.#bySocket.get(socket)
  }

  /** Resolves once there is none. */
  async whenEmpty(): Promise<void> {
    if (this.#bySocket.size === 0) return
    this.#empty ??= Promise.withResolvers<void>()
    await this.#empty.promise
  }

  destroyAll(): void {
    for (const { socket } of this.#bySocket.values()) socket.destroy()
  }
}
