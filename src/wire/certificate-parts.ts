import { DerReader, derTag, type DerValue } from './der.ts'

/** What of a certificate decides whom it may vouch for, and Node does not tell (RFC 5280 4.1). */
export interface CertificateParts {
  /** As `serialText` writes it. */
  readonly serial: string
  /** The name in DER, as those who refer to it write it. */
  readonly subject: Buffer
  /** How many authorities may stand below it; undefined: any number. */
  readonly pathLength: number | undefined
  /** It limits the names of what it signs. */
  readonly hasNameConstraints: boolean
}

/** Object identifiers of extensions, as hexadecimal of their content. */
const basicConstraints = '551d13'
const nameConstraints = '551d1e'

/** Undefined where it is not what a certificate has to be. */
export function readCertificateParts(der: Buffer): CertificateParts | undefined {
  const outer = new DerReader(der)
  const certificate = outer.take(derTag.sequence)
  if (certificate === undefined || !outer.isAtEnd) return undefined
  const signed = new DerReader(certificate.content).take(derTag.sequence)
  if (signed === undefined) return undefined
  const reader = new DerReader(signed.content)
  reader.takeIf(derTag.context0)
  const serial = reader.take(derTag.integer)
  // Algorithm, issuer, validity, subject, key.
  for (let skipped = 0; skipped < 3; skipped++) reader.take(derTag.sequence)
  const subject = reader.take(derTag.sequence)
  reader.take(derTag.sequence)
  // Identifiers that nobody uses.
  reader.takeIf(0x81, 0xa1)
  reader.takeIf(0x82, 0xa2)
  const wrapped = reader.takeIf(derTag.context3)
  if (serial === undefined || subject === undefined || !reader.isAtEnd) return undefined
  const extensions = wrapped === undefined ? new Map<string, Buffer>() : readExtensions(wrapped)
  const pathLength = readPathLength(extensions?.get(basicConstraints))
  if (extensions === undefined || pathLength === 'malformed') return undefined
  return {
    serial: serialText(serial),
    subject: subject.whole,
    pathLength,
    hasNameConstraints: extensions.has(nameConstraints),
  }
}

/** A serial number to compare by: hexadecimal without zeros in front, whoever has padded it. */
export function serialText({ content }: DerValue): string {
  return content.toString('hex').replace(/^(00)+(?=.)/, '')
}

/** Content by identifier. */
function readExtensions({ content }: DerValue): ReadonlyMap<string, Buffer> | undefined {
  const list = new DerReader(content).take(derTag.sequence)
  if (list === undefined) return undefined
  const reader = new DerReader(list.content)
  const extensions = new Map<string, Buffer>()
  while (!reader.isAtEnd) {
    const extension = readExtension(reader.take(derTag.sequence))
    // RFC 5280 4.2: one of a kind.
    if (extension === undefined || extensions.has(extension.id)) return undefined
    extensions.set(extension.id, extension.value)
  }
  return extensions
}

/** One extension of a certificate, of a revocation list, or of an entry in one (RFC 5280 4.1). */
export function readExtension(
  value: DerValue | undefined,
): { readonly id: string; readonly isCritical: boolean; readonly value: Buffer } | undefined {
  if (value === undefined) return undefined
  const reader = new DerReader(value.content)
  const id = reader.take(derTag.objectIdentifier)
  const isCritical = reader.takeIf(derTag.boolean) !== undefined
  const content = reader.take(derTag.octetString)
  if (id === undefined || content === undefined || !reader.isAtEnd) return undefined
  return { id: id.content.toString('hex'), isCritical, value: content.content }
}

function readPathLength(extension: Buffer | undefined): number | undefined | 'malformed' {
  if (extension === undefined) return undefined
  const constraints = new DerReader(extension).take(derTag.sequence)
  if (constraints === undefined) return 'malformed'
  const reader = new DerReader(constraints.content)
  reader.takeIf(derTag.boolean)
  const length = reader.takeIf(derTag.integer)
  if (!reader.isAtEnd) return 'malformed'
  if (length === undefined) return undefined
  const [first = 0x80, ...more] = length.content
  return more.length === 0 && first < 0x80 ? first : 'malformed'
}
