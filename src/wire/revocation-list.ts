import { type KeyObject, verify } from 'node:crypto'
import { readExtension, serialText } from './certificate-parts.ts'
import { DerReader, derTag, readDerTime } from './der.ts'

/** A certificate revocation list (RFC 5280 5), read and not yet held against whoever signed it. */
export interface RevocationList {
  /** The name in DER. */
  readonly issuer: Buffer
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number
  /** Milliseconds since the epoch. From then on there is a newer one, which may say more. */
  readonly nextUpdate: number
  /** Serial numbers, as `serialText` writes them. */
  readonly revoked: ReadonlySet<string>
  readonly signed: Buffer
  /** Undefined: the algorithm brings its own. */
  readonly digest: string | undefined
  readonly signature: Buffer
}

/** Algorithms by the hexadecimal of their object identifier. Older ones are broken, PSS has parameters that nobody uses. */
const digests: ReadonlyMap<string, string | undefined> = new Map([
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2b6570', undefined],
  ['2b6571', undefined],
])

/** Reads one in DER; what cannot be used is said in words for whoever wrote the settings. */
export function readRevocationList(der: Buffer): RevocationList | string {
  const malformed = 'a revocation list that is not what RFC 5280 says'
  const outer = new DerReader(der)
  const list = outer.take(derTag.sequence)
  if (list === undefined || !outer.isAtEnd) return malformed
  const parts = new DerReader(list.content)
  const signed = parts.take(derTag.sequence)
  const algorithm = parts.take(derTag.sequence)
  const signature = parts.take(derTag.bitString)
  if (signed === undefined || algorithm === undefined || signature === undefined) return malformed
  // The first byte of a bit string counts the bits that are none.
  if (!parts.isAtEnd || signature.content[0] !== 0) return malformed
  const id = new DerReader(algorithm.content).take(derTag.objectIdentifier)?.content.toString('hex')
  if (id === undefined) return malformed
  if (!digests.has(id)) return 'a revocation list with a signature that is not supported'

  const reader = new DerReader(signed.content)
  reader.takeIf(derTag.integer)
  const innerAlgorithm = reader.take(derTag.sequence)
  const issuer = reader.take(derTag.sequence)
  const from = reader.takeIf(derTag.utcTime, derTag.generalizedTime)
  const until = reader.takeIf(derTag.utcTime, derTag.generalizedTime)
  const entries = reader.takeIf(derTag.sequence)
  const extensions = reader.takeIf(derTag.context0)
  if (!reader.isAtEnd || issuer === undefined || from === undefined) return malformed
  // RFC 5280 5.1.2.2: or one could be put for the other.
  if (innerAlgorithm?.whole.equals(algorithm.whole) !== true) return malformed
  if (until === undefined) return 'a revocation list that does not say until when it holds'
  const thisUpdate = readDerTime(from)
  const nextUpdate = readDerTime(until)
  const revoked = readEntries(entries?.content)
  if (thisUpdate === undefined || nextUpdate === undefined) return malformed
  if (revoked === undefined) return 'a revocation list with an entry that is not supported'
  if (extensions !== undefined && !areHarmless(extensions.content)) {
    return 'a revocation list that holds for a part only, which is not supported'
  }
  return {
    issuer: issuer.whole,
    thisUpdate,
    nextUpdate,
    revoked,
    signed: signed.whole,
    digest: digests.get(id),
    signature: signature.content.subarray(1),
  }
}

/** Whether whoever has the key has signed it. */
export function isSignedBy(list: RevocationList, key: KeyObject): boolean {
  try {
    return verify(list.digest, list.signed, key, list.signature)
  } catch {
    // A key of another kind.
    return false
  }
}

function readEntries(content: Buffer | undefined): ReadonlySet<string> | undefined {
  const revoked = new Set<string>()
  if (content === undefined) return revoked
  const reader = new DerReader(content)
  while (!reader.isAtEnd) {
    const entry = reader.take(derTag.sequence)
    if (entry === undefined) return undefined
    const parts = new DerReader(entry.content)
    const serial = parts.take(derTag.integer)
    parts.takeIf(derTag.utcTime, derTag.generalizedTime)
    const extensions = parts.takeIf(derTag.sequence)
    if (serial === undefined || !parts.isAtEnd) return undefined
    // THREAT: a critical one may say that the entry is about a certificate of another issuer.
    if (extensions !== undefined && !areHarmless(extensions.whole)) return undefined
    revoked.add(serialText(serial))
  }
  return revoked
}

/** Whether none of them changes what the list means (RFC 5280 5.2: those that do are critical). */
function areHarmless(content: Buffer): boolean {
  const list = new DerReader(content).take(derTag.sequence)
  if (list === undefined) return false
  const reader = new DerReader(list.content)
  while (!reader.isAtEnd) {
    const extension = readExtension(reader.take(derTag.sequence))
    if (extension === undefined || extension.isCritical) return false
  }
  return true
}
