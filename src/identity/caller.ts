import type { Duplex } from 'node:stream'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Source } from '../policy/request.ts'
import type { IpAddress } from '../wire/address.ts'
import type { ProxyHeader } from '../wire/proxy-protocol.ts'
import type { Hostname } from '../wire/hostname.ts'
import type { ShownCertificate } from './client-certificate.ts'
import type { Proof } from './proof.ts'
import type { TokenFinding } from './token-finding.ts'

/** Who calls, verified: what the policy decides by and the access log prints as `source`. */
export interface Caller extends Source {
  readonly resourceId: ResourceId | undefined
}

/**
 * What a connection or request offers about its caller: facts of the wire, kept as they arrived, so that a reload can
 * judge them again under new trust lists.
 */
export interface Evidence {
  /** The socket's remote address; undefined for a Unix socket. */
  readonly peer: IpAddress | undefined
  readonly peerPort: number | undefined
  /** What a PROXY header said in front of everything else; only from a peer that has to send one. */
  readonly proxied?: ProxyHeader | undefined
  /** Name of the listener. */
  readonly listener: string
  /** Values of the listener's forwarded header, in order. */
  readonly forwarded: readonly string[]
  /** Fields that are none were taken out before we saw them, so that one may have come although it is not here. */
  readonly mayLackFields: boolean
  /** Names of every forwarding header that arrived, in any spelling, as spelled. */
  readonly forwardingHeaders: readonly string[]
  /** Every identity header that arrived, in any spelling, in order. */
  readonly identityHeaders: readonly IdentityHeader[]
  /** What certificates and tokens prove, once they are held against whom settings let speak. */
  readonly proofs: readonly Proof[]
  /** What the token came to. */
  readonly token: TokenFinding | undefined
  /** Headers that only look like the one for tokens, as spelled. */
  readonly misspelledTokens: readonly string[]
  /** Set where the stream came in-process from an outbound listener of this instance. */
  readonly delivery: Delivery | undefined
}

export interface IdentityHeader {
  readonly kind: 'subscription' | 'perimeter' | 'resource'
  /** As the client spelled it. */
  readonly name: string
  readonly value: string
}

/** A stream handed from the outbound to the inbound side of one instance, with its caller as an object. */
export interface Delivery {
  /** The member that the outbound listener speaks for. */
  readonly source: ResourceId
  /** The name that the outbound side decided: each request on the stream must carry it. */
  readonly name: Hostname
  readonly port: number
  readonly correlationId: string
  /** The client of the outbound listener. */
  readonly peer: IpAddress | undefined
  readonly peerPort: number | undefined
  /** Set where the outbound listener is one of another instance. */
  readonly remote?: RemoteDelivery | undefined
}

/** How a stream of another instance came, and what proves whose it is: facts, to be judged again. */
export interface RemoteDelivery {
  /** Name of the listener for other instances. */
  readonly listener: string
  readonly certificate: ShownCertificate
  /** The name in the certificate that its sender goes by, as Node writes it. */
  readonly sender: string
}

/**
 * Opens a stream into the inbound listener of this instance that has `delivery.port` and serves `resource`. Undefined:
 * there is none, which is to the client what a closed port is. Given to the outbound side by `compose`.
 */
export type Deliver = (resource: ResourceId, delivery: Delivery) => Duplex | undefined

export type Identification =
  | {
      readonly kind: 'caller'
      readonly caller: Caller
      /** The port that belongs to the caller's address; undefined where nobody said it. */
      readonly port: number | undefined
      /** Identity and forwarding headers that counted for nothing, as spelled: for the access log. */
      readonly removedHeaders: readonly string[]
      /** Until when the caller is who it is; milliseconds since the epoch, infinite where no proof was needed. */
      readonly expiresAt: number
      /** What was wrong with a proof that counts for nothing, a fixed phrase for the log. */
      readonly note: string | undefined
    }
  | Unidentified

/** Ambiguous or unparsable evidence from a peer that is believed: 400. */
export interface Unidentified {
  readonly kind: 'bad-request'
  /** A fixed phrase for the log, never a client's bytes. */
  readonly detail: string
}
