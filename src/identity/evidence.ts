import { parseAddress, type IpAddress } from '../wire/address.ts'
import { type ForwardedHeader, isForwardingHeader } from '../wire/forwarded.ts'
import type { ProxyHeader } from '../wire/proxy-protocol.ts'
import { foldName, type RawHeaders } from '../wire/headers.ts'
import type { Delivery, Evidence, IdentityHeader } from './caller.ts'
import { type IdentityHeaderNames, identityKind } from './identity-headers.ts'
import type { Proof } from './proof.ts'
import type { TokenFinding } from './token-finding.ts'

/** What a request offers about its caller, gathered and not judged. */
export interface EvidenceInput {
  readonly rawHeaders: RawHeaders
  /** The socket's address (`parsePeer`). */
  readonly peer: IpAddress | undefined
  readonly peerPort: number | undefined
  readonly proxied?: ProxyHeader | undefined
  /** Name of the listener. */
  readonly listener: string
  readonly headers: IdentityHeaderNames
  readonly forwardedHeader: ForwardedHeader
  /** Of a request: whatever read it takes out fields that are none, without a word. */
  readonly mayLackFields?: boolean
  /** Of the connection's verified client certificate. */
  readonly certificate?: Proof | undefined
  /** What the request's token came to. */
  readonly token?: TokenFinding | undefined
  /** Set where the stream came in-process: it has no socket, and its peer is the delivery's. */
  readonly delivery?: Delivery | undefined
}

/**
 * Gathers evidence. Identity headers count in every spelling, for they are all removed; the forwarded header counts in
 * its own spelling only: a trusted proxy that appends to `X-Forwarded-For` knows nothing of a client's `X_Forwarded_For`.
 */
export function collectEvidence(input: EvidenceInput): Evidence {
  const { rawHeaders, delivery, certificate, token } = input
  const forwarded: string[] = []
  const forwardingHeaders: string[] = []
  const identityHeaders: IdentityHeader[] = []
  const misspelledTokens: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    const kind = identityKind(input.headers, name)
    if (kind === 'token') {
      if (name.toLowerCase() !== input.headers.token) misspelledTokens.push(name)
    } else if (kind !== undefined) {
      identityHeaders.push({ kind, name, value })
    } else if (isForwardingHeader(foldName(name))) {
      forwardingHeaders.push(name)
      if (name.toLowerCase() === input.forwardedHeader) forwarded.push(value)
    }
  }
  return {
    peer: delivery === undefined ? input.peer : delivery.peer,
    peerPort: delivery === undefined ? input.peerPort : delivery.peerPort,
    proxied: input.proxied,
    listener: input.listener,
    forwarded,
    mayLackFields: input.mayLackFields ?? false,
    forwardingHeaders,
    identityHeaders,
    // On a stream of a member a token is the workload's own writing.
    proofs: [
      certificate,
      token?.kind === 'proof' && delivery === undefined ? token.proof : undefined,
    ].filter((proof) => proof !== undefined),
    token,
    misspelledTokens,
    delivery,
  }
}

/** A socket's `remoteAddress`. Node writes the zone of a link-local peer into the address; which interface it came by decides nothing. */
export function parsePeer(text: string | undefined): IpAddress | undefined {
  if (text === undefined) return undefined
  const zone = text.indexOf('%')
  return parseAddress(zone === -1 ? text : text.slice(0, zone))
}
