/** A name in the subjectAltName of a certificate (RFC 5280 4.2.1.6). */
export interface AlternativeName {
  readonly kind: 'dns' | 'uri' | 'email' | 'other'
  /** DNS names in lower case, everything else as it is. */
  readonly value: string
}

const kinds: ReadonlyMap<string, AlternativeName['kind']> = new Map([
  ['DNS', 'dns'],
  ['URI', 'uri'],
  ['email', 'email'],
])

/**
 * Reads what Node says of the names of a certificate: `KIND:value`, joined by `, `. Node puts a value with a comma, a quote,
 * a control character or (but for some kinds) a letter beyond ASCII between quotes and escapes it; a certificate with such a
 * value is meant to be misread, so that undefined is what is read of all of it.
 */
export function readAlternativeNames(text: string): readonly AlternativeName[] | undefined {
  if (text.length === 0) return []
  const names: AlternativeName[] = []
  for (const entry of text.split(', ')) {
    const colon = entry.indexOf(':')
    const value = entry.slice(colon + 1)
    if (colon < 1 || value.length === 0 || !isPlain(value)) return undefined
    const kind = kinds.get(entry.slice(0, colon)) ?? 'other'
    names.push({ kind, value: kind === 'dns' ? value.toLowerCase() : value })
  }
  return names
}

/** Printable ASCII without what Node escapes. */
function isPlain(value: string): boolean {
  return /^[ -~]+$/.test(value) && !/["'\\,]/.test(value)
}
