/**
 * Text → JSON string, bounded, in printable ASCII alone. A log is read in terminals and by other people's tools: C0, DEL,
 * C1 (U+009B is a control sequence introducer), U+2028 and U+2029, bidirectional controls and whatever comes after them
 * reach neither as themselves. INVARIANT (a line is ASCII): its length in characters is its length in bytes.
 */

/** A client can make a field of a record this long and no longer; the rest is cut, and an ellipsis says so. */
export const maxFieldLength = 256

/** Longest resource id that is shown whole; ids that Azure makes are shorter. */
export const maxIdLength = 1024

const ellipsis = '\\u2026'
const notPlain = /[^\x20\x21\x23-\x5b\x5d-\x7e]/
const allNotPlain = new RegExp(notPlain, 'g')

/** The text as a JSON string with its quotes, cut after `maxLength` UTF-16 units. */
export function jsonText(text: string, maxLength = maxFieldLength): string {
  return `"${escapeText(text, maxLength)}"`
}

/** The same without the quotes, for where they are part of what precedes and follows. */
export function escapeText(text: string, maxLength = maxFieldLength): string {
  if (text.length <= maxLength && !notPlain.test(text)) return text
  // A half of a surrogate pair is no text to strict JSON readers.
  const cut = text.slice(0, maxLength).toWellFormed()
  const escaped = cut.replace(allNotPlain, escapeUnit)
  return `${escaped}${text.length > maxLength ? ellipsis : ''}`
}

function escapeUnit(unit: string): string {
  if (unit === '"' || unit === '\\') return `\\${unit}`
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The texts as a JSON array, cut after `maxItems`. */
export function jsonTexts(texts: readonly string[], maxItems: number): string {
  const shown = texts.slice(0, maxItems).map((text) => jsonText(text))
  if (texts.length > maxItems) shown.push(`"${ellipsis}"`)
  return `[${shown.join(',')}]`
}
