import type { Socket } from 'node:net'
import type { Delivery } from '../identity/caller.ts'
import { parsePeer } from '../identity/evidence.ts'
import type { ShownCertificate } from '../identity/client-certificate.ts'
import type { IpAddress } from '../wire/address.ts'
import type { ProxyHeader } from '../wire/proxy-protocol.ts'

/** A connection as it arrived. Kept as long as it is open, so that it can be judged again from the start. */
export interface ConnectionFacts {
  /** Name of the listener. */
  readonly listener: string
  /** The socket's own, whatever a PROXY header says. */
  readonly peer: IpAddress | undefined
  readonly peerPort: number | undefined
  /** What came in front of everything else, from a peer that had to send it. */
  readonly proxied?: ProxyHeader | undefined
  readonly delivery: Delivery | undefined
  /** What its client has shown in the handshake, where it was asked. */
  readonly certificate?: ShownCertificate | undefined
}

export type OwnPeer = Pick<ConnectionFacts, 'peer' | 'peerPort'>

/** Of a socket that was just accepted: it forgets them when its peer is gone. */
export function ownPeer(socket: Socket | undefined): OwnPeer {
  return { peer: parsePeer(socket?.remoteAddress), peerPort: socket?.remotePort }
}

/** Where a connection comes from, as far as the connection says it. */
export function sourceOf({ peer, peerPort, proxied, delivery }: ConnectionFacts): {
  readonly address: IpAddress | undefined
  readonly port: number | undefined
} {
  if (delivery !== undefined) return { address: delivery.peer, port: delivery.peerPort }
  return proxied?.kind === 'forwarded' ? proxied : { address: peer, port: peerPort }
}
