import type { Readable } from 'node:stream'
import type { FailureReason } from '../reasons.ts'
import type { RawHeaders } from '../wire/headers.ts'

/**
 * What comes back for a request that was sent on, whoever speaks HTTP with the other side. In order: any number of
 * `interim`, one `head`, any number of `data`, one `end`; or `failed` at any point before `end`, and nothing after it.
 */
export interface Answering {
  /** A 1xx other than 101. */
  interim(status: number, headers: RawHeaders): void
  head(status: number, headers: RawHeaders): void
  /** False: send no more until `Sent.resume` is called. What is under way still comes. */
  data(chunk: Buffer): boolean
  end(trailers: RawHeaders): void
  failed(reason: FailureReason): void
}

/** A request under way. */
export interface Sent {
  resume(): void
  /** Ends it and its connection; nothing is called afterwards. */
  abort(): void
}

/** A request as it goes out: everything in it has been decided and cleaned. */
export interface Outgoing {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Name and value in turn, Host included; framing is `content-length` or, without it and with a body, chunked. */
  readonly headers: RawHeaders
  readonly body: Readable | undefined
}
