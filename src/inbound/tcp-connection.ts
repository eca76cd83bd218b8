import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RecordEnd } from '../audit/record.ts'
import type { Backend } from '../perimeter/resource.ts'
import type { CloseReason } from '../reasons.ts'
import type { Timeouts } from '../settings/settings.ts'
import { Cancellation } from '../transport/cancellation.ts'
import { closeGently } from '../transport/close-gently.ts'
import type { DialAuthority } from '../transport/dial-authority.ts'
import { HeldSlot } from '../transport/held-slot.ts'
import { openTunnel, type Tunnel, type TunnelEnd } from '../transport/tunnel.ts'
import type { TunnelSlots } from '../transport/tunnel-slots.ts'
import { inboundRecord } from './access-record.ts'
import { admit, type RefuseAs, type Standing } from './admit.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import type { InboundPorts } from './ports.ts'

/** What the connections of one listener share. */
export interface TcpContext {
  readonly ports: InboundPorts
  readonly dialBackend: DialAuthority
  readonly slots: TunnelSlots
  /** Everything that was admitted and has not ended. */
  readonly open: Set<TcpConnection>
}

const nothing = Buffer.alloc(0)

/**
 * One connection for a `tcp:` back end, from its arrival to its last byte:
 *
 *   arrival ─ admit: judge, register as open, one record ─ dial ─ tunnel
 *                     └─ refused: closed                    └─ failed: closed
 *
 * Not a byte is read before the decision, and none of a refused client goes anywhere. There is no answer to give in a
 * protocol that we do not speak: whoever is refused sees an orderly end, as of a server that does not want to talk.
 */
export class TcpConnection {
  readonly #context: TcpContext
  readonly #stream: Duplex
  readonly #facts: ConnectionFacts
  readonly #correlationId: string
  readonly #startedAt: number
  readonly #aborted = new Cancellation()
  readonly #slot: HeldSlot
  readonly #over = Promise.withResolvers<void>()
  #standing: Standing | undefined
  #tunnel: Tunnel | undefined
  #isOver = false

  /** Owns the stream from here on. */
  constructor(
    context: TcpContext,
    { stream, facts }: { readonly stream: Duplex; readonly facts: ConnectionFacts },
  ) {
    const { ports } = context
    this.#context = context
    this.#stream = stream
    this.#facts = facts
    this.#correlationId = facts.delivery?.correlationId ?? ports.newCorrelationId()
    this.#startedAt = ports.monotonicNow()
    this.#slot = new HeldSlot(context.slots)
  }

  /** Resolves once what was admitted has ended and its end line is written. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  /** Decides, and joins it to the back end. Resolves when it is joined or over. Never rejects. */
  async serve(refuseAs?: RefuseAs): Promise<void> {
    const { ports, open } = this.#context
    const settings = ports.currentInForce()?.settings
    const limit = settings?.limits.tunnelsPerResource ?? 0
    const admission = admit(ports, this.#facts, {
      correlationId: this.#correlationId,
      refuseAs,
      isFull: (resource) => !this.#slot.take(resource, limit),
      revoke: () => this.end('policy-revoked'),
    })
    // Without settings nothing is admitted.
    if (admission.kind === 'refused' || settings === undefined) {
      this.#slot.release()
      closeGently(this.#stream)
      return
    }
    this.#standing = admission.standing
    open.add(this)
    ports.meter.opened('tunnel', 'Inbound')
    this.#stream.once('close', this.#leave)
    if (this.#stream.destroyed) this.#leave()
    else await this.#join(admission.backend, settings.timeouts)
  }

  /** Ends it at once, for this reason. */
  end(closeReason: CloseReason): void {
    if (this.#tunnel !== undefined) this.#tunnel.end(closeReason)
    else this.#abandon(closeReason)
  }

  async #join(backend: Backend, timeouts: Timeouts): Promise<void> {
    const { ports, dialBackend } = this.#context
    const { authority } = backend
    const timeoutMs = timeouts.connectMs
    const signal = this.#aborted
    try {
      const dialled = await dialBackend({ authority, timeoutMs, signal, readBy: 'tunnel' })
      if (dialled.kind === 'failed') this.#abandon(dialled.reason)
      else if (this.#isOver) dialled.socket.destroy()
      else this.#openTunnel(dialled.socket, timeouts)
    } catch (error) {
      ports.log.error({ err: error }, 'a connection could not be joined to its back end')
      this.end('internal-error')
    }
  }

  #openTunnel(upstream: Socket, { tunnelIdleMs, tunnelLifetimeMs }: Timeouts): void {
    this.#stream.off('close', this.#leave)
    this.#tunnel = openTunnel({
      client: this.#stream,
      upstream,
      clientHead: nothing,
      upstreamHead: nothing,
      idleMs: tunnelIdleMs,
      lifetimeMs: tunnelLifetimeMs,
      onClose: (end) => this.#finish(end),
    })
  }

  /** The client is gone before it was joined. One that has only ended its side still waits for what the back end says. */
  readonly #leave = (): void => {
    this.#abandon(this.#stream.errored === null ? 'client-closed' : 'client-reset')
  }

  /** Before it was joined. */
  #abandon(closeReason: CloseReason): void {
    if (this.#isOver) return
    this.#stream.off('close', this.#leave)
    closeGently(this.#stream)
    this.#finish({ bytesIn: 0, bytesOut: 0, closeReason })
  }

  #finish({ bytesIn, bytesOut, closeReason }: TunnelEnd): void {
    if (this.#isOver || this.#standing === undefined) return
    this.#isOver = true
    this.#aborted.abort()
    const { ports, open } = this.#context
    const standing = this.#standing
    const resource = standing.judgement.decision.resource?.id.key
    open.delete(this)
    this.#slot.release()
    ports.openConnections.unregister(standing.entry)
    const durationMs = ports.monotonicNow() - this.#startedAt
    const counted = { bytesIn, bytesOut, durationMs }
    const kinds = { kind: 'tunnel', direction: 'Inbound', status: undefined } as const
    ports.meter.ended({ ...kinds, ...counted, resource })
    this.#record(standing, { ...counted, closeReason })
    this.#over.resolve()
  }

  #record({ judgement }: Standing, end: RecordEnd): void {
    const { ports } = this.#context
    const facts = this.#facts
    const correlationId = this.#correlationId
    ports.accessLog.accept(
      inboundRecord({ facts, judgement, correlationId, time: ports.now(), end }),
    )
  }
}
