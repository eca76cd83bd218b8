const maxQuotedLength = 200

/** Controls, formats (zero-width, bidirectional), lone surrogates, line separators: they act on the terminal that shows them. */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** What a user wrote, for a message: in backticks, bounded, with everything that could act on a terminal escaped. */
export function quote(text: string): string {
  const bounded = text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text
  return `\`${escapeUnsafe(bounded).replaceAll('`', "'")}\``
}

/** Text with everything that could act on a terminal written as `\\u…`. */
export function escapeUnsafe(text: string): string {
  return text.replace(unsafe, escapeUnit)
}

function escapeUnit(unit: string): string {
  return `\\u${(unit.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
}
