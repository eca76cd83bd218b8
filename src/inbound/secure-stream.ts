import type { Duplex } from 'node:stream'
import {
  createSecureContext,
  type DetailedPeerCertificate,
  type SecureContext,
  TLSSocket,
} from 'node:tls'
import { constants } from 'node:crypto'
import { type ShownCertificate, showCertificate } from '../identity/client-certificate.ts'
import type { ClientCertificates } from '../settings/settings.ts'
import { clientTrustOf } from './judge-certificate.ts'

/** Certificate and key of a listener, PEM. */
export interface ListenerPem {
  readonly cert: string
  readonly key: string
  /** Of session tickets, where several threads present the certificate; absent: keys of its own. */
  readonly ticketKeys?: Uint8Array
  /** Set: clients are asked for certificates of these, PEM. */
  readonly clientAuthorities?: readonly string[] | undefined
}

/** TLS as a listener speaks it. */
export interface ListenerSecurity {
  readonly context: SecureContext
  readonly asksForCertificate: boolean
}

/**
 * Throws what OpenSSL refuses. Who asks for certificates lets nobody resume: a session would outlive the revocation of the
 * certificate that began it. Node keeps no sessions by itself, so without tickets there are none.
 */
export function secureListener(pem: ListenerPem): ListenerSecurity {
  const { cert, key, ticketKeys, clientAuthorities } = pem
  if (clientAuthorities === undefined) {
    const tickets = ticketKeys === undefined ? {} : { ticketKeys: Buffer.from(ticketKeys) }
    return { context: createSecureContext({ cert, key, ...tickets }), asksForCertificate: false }
  }
  const context = createSecureContext({
    cert,
    key,
    ca: [...clientAuthorities],
    // An authority may be named without those above it.
    allowPartialTrustChain: true,
    secureOptions: constants.SSL_OP_NO_TICKET,
  })
  return { context, asksForCertificate: true }
}

/** Ends TLS on a stream. Whoever shows no certificate, or a bad one, is let in as far as to be refused with an answer. */
export function secureStream(
  raw: Duplex,
  options: {
    readonly security: ListenerSecurity
    readonly asksForCertificate: boolean
    /** ALPN's list in wire format (RFC 7301 3.1). */
    readonly protocols?: Buffer
  },
): TLSSocket {
  const { security, asksForCertificate, protocols } = options
  return new TLSSocket(raw, {
    isServer: true,
    secureContext: security.context,
    requestCert: asksForCertificate,
    rejectUnauthorized: false,
    ...(protocols === undefined ? {} : { ALPNProtocols: protocols }),
  })
}

/** After the handshake: what the client has shown. Undefined where it has shown nothing. */
export function shownCertificate(
  stream: TLSSocket,
  trusted: ClientCertificates,
  { now }: { readonly now: number },
): ShownCertificate | undefined {
  const chain = chainOf(stream)
  return showCertificate(chain, { fault: faultOf(stream), trust: clientTrustOf(trusted), now })
}

/** Its own certificate and those above, as Node has put them together from names. */
function chainOf(stream: TLSSocket): readonly Buffer[] {
  const chain: Buffer[] = []
  let next: DetailedPeerCertificate | undefined = stream.getPeerCertificate(true)
  // Without one Node gives an empty object, and the last is its own issuer.
  while (next?.raw !== undefined && !chain.some((one) => one.equals(next?.raw ?? one))) {
    chain.push(next.raw)
    next = next.issuerCertificate
  }
  return chain
}

/**
 * What OpenSSL has found wrong with the chain. Node tells its own TLS server alone, by a function of the handle that every
 * version has; if one has not, nobody is verified.
 */
function faultOf(stream: TLSSocket): string | undefined {
  const handle: unknown = Reflect.get(stream, '_handle')
  const ask: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'verifyError') : undefined
  if (typeof ask !== 'function') return 'UNKNOWN'
  const fault: unknown = ask.call(handle)
  if (fault === null || fault === undefined) return undefined
  const code: unknown = typeof fault === 'object' ? Reflect.get(fault, 'code') : undefined
  return typeof code === 'string' && /^[A-Z_]{1,64}$/.test(code) ? code : 'UNKNOWN'
}
