import { X509Certificate } from 'node:crypto'
import { type CertificateParts, readCertificateParts } from '../wire/certificate-parts.ts'
import { isSignedBy, type RevocationList } from '../wire/revocation-list.ts'

/** A certificate as it is held against others. */
export interface Certified {
  readonly certificate: X509Certificate
  readonly parts: CertificateParts
}

/** An authority that clients' certificates may come from. */
export interface Anchors {
  readonly certificates: readonly Certified[]
  /** Undefined: nothing is known to be revoked. */
  readonly lists: readonly RevocationList[] | undefined
}

export type FoundPath<A extends Anchors> =
  | {
      readonly kind: 'found'
      readonly authority: A
      /** The one at the top, which is one of the authority's own. */
      readonly anchor: X509Certificate
      /** When the first certificate or list ends; milliseconds since the epoch. */
      readonly expiresAt: number
    }
  /** A fixed phrase for the log. */
  | { readonly kind: 'none'; readonly note: string }

/** Throws what OpenSSL refuses. Undefined where it is not what a certificate has to be. */
export function readCertified(der: Buffer): Certified | undefined {
  const parts = readCertificateParts(der)
  return parts === undefined ? undefined : { certificate: new X509Certificate(der), parts }
}

/**
 * Finds whose certificate it is: from the client's own, the first of `chain`, up to the nearest that settings name, each
 * signed by the next.
 *
 * THREAT: what Node calls the issuer of a certificate is told from names, which whoever sends the chain chooses; a
 * certificate of a narrow authority could seem to be one of a wide one. So every signature is verified here, and every limit
 * that OpenSSL may have held against another path. `now` is milliseconds since the epoch.
 */
export function findPath<A extends Anchors>(
  chain: readonly Certified[],
  given: { readonly authorities: readonly A[]; readonly maxDepth: number; readonly now: number },
): FoundPath<A> {
  const { authorities, maxDepth, now } = given
  const [own, ...others] = chain
  if (own === undefined) return none('no client certificate')
  const path = [own]
  for (let last = own; path.length - 1 <= maxDepth;) {
    const found = findAnchors(last, authorities)
    const [first, ...more] = found
    if (first !== undefined) {
      if (more.some(({ authority }) => authority !== first.authority)) {
        return none('client certificate of two authorities')
      }
      return judgePath([...path, first.anchor], { authority: first.authority, authorities, now })
    }
    const next = others.find((one) => !path.includes(one) && hasSigned(one, last))
    if (next === undefined) return none('client certificate of an unknown authority')
    path.push(next)
    last = next
  }
  return none('client certificate with too many authorities above it')
}

function findAnchors<A extends Anchors>(below: Certified, authorities: readonly A[]) {
  return authorities.flatMap((authority) =>
    authority.certificates
      .filter((anchor) => hasSigned(anchor, below))
      .map((anchor) => ({ authority, anchor })),
  )
}

function hasSigned({ certificate: above }: Certified, { certificate: below }: Certified): boolean {
  return above.ca && below.checkIssued(above) && below.verify(above.publicKey)
}

function judgePath<A extends Anchors>(
  path: readonly Certified[],
  given: { readonly authority: A; readonly authorities: readonly A[]; readonly now: number },
): FoundPath<A> {
  const { authority, authorities, now } = given
  let expiresAt = Number.POSITIVE_INFINITY
  for (const [index, one] of path.entries()) {
    const { certificate, parts } = one
    if (certificate.validFromDate.getTime() > now) return none('client certificate of the future')
    expiresAt = Math.min(expiresAt, certificate.validToDate.getTime())
    // RFC 5280 4.2.1.9: authorities between it and the client's own.
    if (index > 0 && parts.pathLength !== undefined && index - 1 > parts.pathLength) {
      return none('client certificate with too many authorities above it')
    }
    // OpenSSL holds them against the path that it found, which with several authorities may be another.
    if (index > 0 && parts.hasNameConstraints && authorities.length > 1) {
      return none('client certificate of an authority with name constraints')
    }
    const above = path[index + 1]
    if (authority.lists === undefined || above === undefined) continue
    const list = newestList(authority.lists, above)
    if (list === undefined) return none('client certificate without a list of revocations')
    if (list.thisUpdate > now) return none('list of revocations of the future')
    if (list.revoked.has(parts.serial)) return none('client certificate that is revoked')
    expiresAt = Math.min(expiresAt, list.nextUpdate)
  }
  const anchor = path.at(-1)?.certificate
  if (anchor === undefined) return none('no client certificate')
  if (expiresAt <= now) return none('client certificate or list of revocations that has expired')
  return { kind: 'found', authority, anchor, expiresAt }
}

/** What the authority itself has said last. */
function newestList(
  lists: readonly RevocationList[],
  { certificate, parts }: Certified,
): RevocationList | undefined {
  let newest: RevocationList | undefined
  for (const list of lists) {
    if (newest !== undefined && newest.thisUpdate >= list.thisUpdate) continue
    if (!list.issuer.equals(parts.subject) || !isSignedBy(list, certificate.publicKey)) continue
    newest = list
  }
  return newest
}

function none(note: string): { readonly kind: 'none'; readonly note: string } {
  return { kind: 'none', note }
}
