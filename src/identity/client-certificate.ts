import { type Anchors, type Certified, findPath, readCertified } from './certificate-path.ts'
import { type MappedName, readHolder } from './certificate-names.ts'
import type { Proof } from './proof.ts'

/** What a client has shown in its handshake, kept as it came, so that a reload can judge it again. */
export interface ShownCertificate {
  /** The client's own first, then what may stand above it, in no order that means anything. */
  readonly chain: readonly Certified[]
  /** What OpenSSL found wrong with it, by the authorities of the handshake, in its own words (`CERT_HAS_EXPIRED`). */
  readonly fault: string | undefined
  /** SHA-256 of the authority's certificate that it was found under then. */
  readonly anchor: string | undefined
}

/** Whom a listener believes about its clients. */
export interface ClientTrust {
  readonly authorities: readonly ClientAuthority[]
  /** Authorities between one of those and the client's own certificate. */
  readonly maxDepth: number
  readonly mapping: readonly MappedName[]
}

export interface ClientAuthority extends Anchors {
  /** As in `Proof`. */
  readonly speaker: string
}

/** What it comes to: a proof, or a fixed phrase that says why it is none. */
export type ReadCertificate = Proof | string

/** Certificates above the client's own that are looked at; nobody has more. */
const maxChain = 10

/** Takes what a handshake has shown, in DER. Undefined where there is nothing. */
export function showCertificate(
  chain: readonly Buffer[],
  given: { readonly fault: string | undefined; readonly trust: ClientTrust; readonly now: number },
): ShownCertificate | undefined {
  if (chain.length === 0) return undefined
  const { fault, trust, now } = given
  const read = chain.slice(0, maxChain).map(readSafely)
  const certified = read.filter((one) => one !== undefined)
  // What cannot be read is no certificate, and the client's own comes first.
  if (read[0] === undefined) return { chain: [], fault: 'UNREADABLE', anchor: undefined }
  const path = findPath(certified, { ...trust, now })
  const anchor = path.kind === 'found' ? path.anchor.fingerprint256 : undefined
  return { chain: certified, fault, anchor }
}

function readSafely(der: Buffer): Certified | undefined {
  try {
    return readCertified(der)
  } catch {
    return undefined
  }
}

const known = new WeakMap<
  ShownCertificate,
  { readonly trust: ClientTrust; readonly read: ReadCertificate }
>()

/**
 * Judges it by whom is trusted now: the path, the revocations, the names. An authority that has come since the handshake
 * counts for later ones only: what OpenSSL has verified is a path to another. Once for as long as the trust is the same: of
 * the clock nothing but `expiresAt` is left, which its reader looks at.
 */
export function readShown(
  shown: ShownCertificate,
  trust: ClientTrust,
  { now }: { readonly now: number },
): ReadCertificate {
  const before = known.get(shown)
  if (before?.trust === trust) return before.read
  const read = judge(shown, trust, now)
  known.set(shown, { trust, read })
  return read
}

function judge(shown: ShownCertificate, trust: ClientTrust, now: number): ReadCertificate {
  const { chain, fault, anchor } = shown
  if (fault !== undefined) return `client certificate that does not verify: ${fault}`
  const path = findPath(chain, { ...trust, now })
  if (path.kind === 'none') return path.note
  if (path.anchor.fingerprint256 !== anchor) return 'client certificate of another authority'
  const statement = readHolder(chain[0]?.certificate.subjectAltName, trust.mapping)
  if (typeof statement === 'string') return statement
  return { speaker: path.authority.speaker, statement, expiresAt: path.expiresAt }
}
