import type { Socket } from 'node:net'
import type { FailureReason } from '../reasons.ts'
import type { IpAddress } from '../wire/address.ts'

export type Dialled =
  | { readonly kind: 'connected'; readonly socket: Socket; readonly address: IpAddress }
  | { readonly kind: 'failed'; readonly reason: FailureReason }

export interface DialRequest {
  /** Vetted, in order of preference; tried one after the other. */
  readonly addresses: readonly IpAddress[]
  readonly port: number
  /** For all attempts together. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** Connects to the first address that answers. Never rejects; the caller owns the socket. */
export type Dial = (request: DialRequest) => Promise<Dialled>
