import type { CloseReason } from '../reasons.ts'
import { type Deadline, sharedDeadlines } from '../transport/deadlines.ts'
import type { Gate, Opening, Tunnel } from '../transport/tunnel.ts'
import { seconds } from '../units.ts'
import { type ClientHello, ClientHelloReader } from '../wire/client-hello.ts'
import { renderTlsAlert } from '../wire/tls-alert.ts'

/** The most that a client has for its hello. */
const maxHelloMs = seconds(5)

/** On this port every client speaks first, and TLS. */
const httpsPort = 443

export interface HelloGateOptions {
  readonly port: number
  /** Of a head; what is longer than 5 s counts as that. */
  readonly headerMs: number
  /** Judges and records what was said: why it is refused, or undefined. */
  readonly judge: (hello: ClientHello) => CloseReason | undefined
}

/**
 * Holds what is said in a tunnel until it is known whom the client wants there:
 *
 *   port 443      the client has its time from the 200 on; silence is unreadable, or no TLS where the server has spoken
 *   other ports   it has its time from its first byte on, and what does not begin as TLS passes with that byte
 */
export class HelloGate implements Gate {
  readonly #options: HelloGateOptions
  readonly #reader = new ClientHelloReader()
  #deadline: Deadline | undefined
  #tunnel: Tunnel | undefined
  #hasSpoken = false
  #isOver = false

  constructor(options: HelloGateOptions) {
    this.#options = options
  }

  /** The tunnel that it is the gate of, as soon as there is one. */
  guard(tunnel: Tunnel): void {
    this.#tunnel = tunnel
    if (this.#options.port === httpsPort) this.#watch()
  }

  onBytes(bytes: Buffer): Opening | undefined {
    const hello = this.#reader.take(bytes)
    if (hello !== undefined) return this.#decide(hello)
    this.#hasSpoken = true
    this.#watch()
    return undefined
  }

  onEnd(): Opening {
    // Without a byte nothing was asked of anybody.
    return this.#hasSpoken ? this.#decide({ kind: 'unreadable' }) : this.#pass()
  }

  /** The tunnel has ended. */
  stop(): void {
    this.#isOver = true
    this.#deadline?.cancel()
  }

  #watch(): void {
    if (this.#isOver || this.#deadline !== undefined) return
    const lifetimeMs = Math.min(this.#options.headerMs, maxHelloMs)
    this.#deadline = sharedDeadlines.watch({
      idleMs: Infinity,
      lifetimeMs,
      onExpire: () => this.#expire(),
    })
  }

  #expire(): void {
    const isServerFirst = !this.#hasSpoken && (this.#tunnel?.bytesOut ?? 0) > 0
    this.#tunnel?.open(this.#decide({ kind: isServerFirst ? 'not-tls' : 'unreadable' }))
  }

  #decide(hello: ClientHello): Opening {
    const reason = this.#options.judge(hello)
    if (reason === undefined) return this.#pass()
    this.stop()
    return { kind: 'refuse', lastWords: renderTlsAlert(reason), closeReason: reason }
  }

  #pass(): Opening {
    this.stop()
    return { kind: 'pass', bytes: this.#reader.bytes }
  }
}
