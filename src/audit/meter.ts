import type { Direction } from '../perimeter/perimeter.ts'

/** What the proxies tell the metrics, next to the access log (which counts decisions). Must be cheap; never throws. */
export interface Meter {
  opened(kind: ExchangeKind, direction: Direction): void
  /** Once for each `opened`. */
  ended(exchange: EndedExchange): void
}

export type ExchangeKind = 'connection' | 'request' | 'tunnel'

export interface EndedExchange {
  readonly kind: ExchangeKind
  readonly direction: Direction
  /** `ResourceId.key`, undefined where none is known. */
  readonly resource: string | undefined
  /** HTTP status sent to the client; undefined where there is none. */
  readonly status: number | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  readonly durationMs: number
}
