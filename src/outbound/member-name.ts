import { X509Certificate } from 'node:crypto'
import { readAlternativeNames } from '../wire/subject-alternative-names.ts'

const known = new Map<string, string | undefined>()

/** Certificates of members; those of a few reloads. */
const maxKnown = 1000

/**
 * The name that a member goes by, of those in its certificate (PEM): its URI, else its first DNS name, as Node writes them.
 * Undefined where there is none.
 */
export function memberNameIn(pem: string): string | undefined {
  if (known.has(pem)) return known.get(pem)
  if (known.size >= maxKnown) known.clear()
  const names = readAlternativeNames(new X509Certificate(pem).subjectAltName ?? '') ?? []
  const uri = names.find(({ kind }) => kind === 'uri')
  const dns = names.find(({ kind }) => kind === 'dns')
  const name = uri === undefined ? dns && `DNS:${dns.value}` : `URI:${uri.value}`
  known.set(pem, name)
  return name
}
