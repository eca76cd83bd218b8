const maxQuotedLength = 200

/** Controls, formats (zero-width, bidirectional), lone surrogates, line separators: they act on the terminal that shows them. */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** What must not stand in a message, which goes to logs and terminals: userinfo of a URL, a password before `@`, a pasted key. */
const secrets: readonly (readonly [RegExp, string])[] = [
  [/\/\/[^\s@]*@/g, '//***@'],
  [/:[^\s@/]+@/g, ':***@'],
  [/(-----BEGIN [A-Z ]*KEY-----)[^]*/, '$1***'],
]

/**
 * What a user wrote, for a message: in backticks, bounded, without what looks like a secret, and with everything that
 * could act on a terminal escaped.
 */
export function quote(text: string): string {
  let told = text
  for (const [secret, mask] of secrets) told = told.replace(secret, mask)
  const bounded = told.length > maxQuotedLength ? `${told.slice(0, maxQuotedLength)}…` : told
  return `\`${escapeUnsafe(bounded).replaceAll('`', "'")}\``
}

/** Text with everything that could act on a terminal written as `\\u…`. */
export function escapeUnsafe(text: string): string {
  return text.replace(unsafe, escapeUnit)
}

function escapeUnit(unit: string): string {
  return `\\u${(unit.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
}
