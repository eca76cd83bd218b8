import type { RecordEnd } from '../audit/record.ts'
import type { CloseReason } from '../reasons.ts'
import { inboundRecord } from './access-record.ts'
import type { Standing } from './admit.ts'
import type { Connection } from './connection.ts'
import type { RequestFacts } from './judge-request.ts'
import type { InboundPorts } from './ports.ts'

/** One request or upgrade from arrival to end: what is counted of it and what is written at its end. */
export interface Exchange {
  /** An upgrade is a request until it has been switched. */
  kind: 'request' | 'tunnel'
  readonly facts: RequestFacts
  readonly correlationId: string
  /** Of bodies, or of a tunnel; heads are not counted. */
  bytesIn: number
  bytesOut: number
  /** Sent to the client; undefined as long as nothing was. */
  status: number | undefined
  /** Ends it because the process wants it to. Let go of at its end: `exchanges` may keep what has left it, as a Map does in `connections.ts`. */
  abort: (closeReason: CloseReason) => void
  /** Once admitted, until its end. */
  admitted: Standing | undefined
  /** The protocol has been switched, with this status: the request is over and a tunnel begins. */
  becomeTunnel(status: number): void
  /** Called once, when nothing of it is left. */
  end(closeReason: CloseReason): void
}

export interface ExchangeOptions {
  readonly facts: RequestFacts
  readonly correlationId: string
  /** All that are open. */
  readonly exchanges: Set<Exchange>
  /** Not called after the end. */
  readonly abort: (closeReason: CloseReason) => void
}

export function openExchange(ports: InboundPorts, options: ExchangeOptions): Exchange {
  const { facts, correlationId, exchanges, abort } = options
  const startedAt = ports.monotonicNow()
  let isEnded = false
  const exchange: Exchange = {
    kind: 'request',
    facts,
    correlationId,
    bytesIn: 0,
    bytesOut: 0,
    status: undefined,
    abort,
    admitted: undefined,
    becomeTunnel(status) {
      exchange.status = status
      tellMeter(ports, exchange, ports.monotonicNow() - startedAt)
      exchange.kind = 'tunnel'
      ports.meter.opened('tunnel', 'Inbound')
    },
    end(closeReason) {
      if (isEnded) return
      isEnded = true
      exchanges.delete(exchange)
      const { bytesIn, bytesOut, admitted } = exchange
      const durationMs = ports.monotonicNow() - startedAt
      if (admitted !== undefined) ports.openConnections.unregister(admitted.entry)
      tellMeter(ports, exchange, durationMs)
      writeEnd(ports, exchange, { bytesIn, bytesOut, durationMs, closeReason })
      exchange.admitted = undefined
      exchange.abort = nothing
    },
  }
  exchanges.add(exchange)
  ports.meter.opened('request', 'Inbound')
  return exchange
}

/** What is counted of an exchange. */
export type Counted = Pick<
  Exchange,
  'kind' | 'facts' | 'correlationId' | 'bytesIn' | 'bytesOut' | 'status'
> & { readonly admitted: Pick<Standing, 'judgement'> | undefined }

/** Tells the meter that one is over. */
export function tellMeter(ports: InboundPorts, counted: Counted, durationMs: number): void {
  const { kind, bytesIn, bytesOut, status, admitted } = counted
  const resource = admitted?.judgement.decision.resource?.id.key
  const direction = 'Inbound'
  ports.meter.ended({ kind, direction, resource, status, bytesIn, bytesOut, durationMs })
}

/** A refusal is over with its record. Of what was admitted, all that lasted or went wrong has an end line. */
export function writeEnd(ports: InboundPorts, counted: Counted, end: RecordEnd): void {
  const { kind, facts, correlationId, admitted } = counted
  if (admitted === undefined) return
  const lasts = ports.currentInForce()?.settings.audit.endLineAfterMs ?? 0
  if (kind === 'request' && end.closeReason === 'complete' && end.durationMs <= lasts) return
  const { judgement } = admitted
  ports.accessLog.accept(inboundRecord({ facts, judgement, correlationId, time: ports.now(), end }))
}

function nothing(): void {}

/** What the client's side of a connection says about an end that nobody else explained. */
export function clientCloseReason({ stream }: Pick<Connection, 'stream'>): CloseReason {
  return stream.errored === null ? 'client-closed' : 'client-reset'
}
