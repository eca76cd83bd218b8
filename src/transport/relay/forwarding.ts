import type { Upstream } from './upstream.ts'

/** A request as it is sent on, and over what. */
export interface Forwarding {
  readonly upstream: Upstream
  /** Field lines for the back end, with the empty line; Latin-1. */
  readonly fieldLines: string
  /** The request target for the back end. */
  readonly target: string
  readonly correlationId: string
  /** Our own lines in the head of the answer, besides those that every answer has. */
  readonly answerLines?: string
  readonly source: UpstreamSource
}

/** Where upstream connections come from and go to. */
export interface UpstreamSource {
  /** Takes a connection back whose last answer was whole. `hintMs`: how long the back end says that it keeps it. */
  giveBack(upstream: Upstream, hintMs: number | undefined): void
  /**
   * A connection to try next, `later` if `sendOver` brings one or the crossing is refused, or `none`. `lost` was not
   * reached, or was given up while it was idle.
   */
  again(lost: Upstream): Upstream | 'later' | 'none'
}
