import { KiB } from '../units.ts'
import { headerValues, type RawHeaders } from './headers.ts'

/** No browser's Accept is longer; a longer one is not worth reading for a refusal. */
const maxAcceptLength = 1 * KiB

/**
 * Whether a person is likely to read the answer: Accept names `text/html` itself and prefers nothing of JSON to it
 * (RFC 9110 12.5.1). `*` ranges do not count: SDKs and curl send them.
 */
export function prefersHtml(raw: RawHeaders): boolean {
  const accept = headerValues(raw, 'accept').join(',')
  if (accept.length > maxAcceptLength) return false
  let html = 0
  let json = 0
  for (const range of accept.toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim())
    if (type === 'text/html') html = Math.max(html, quality(parameters))
    if (type === 'application/json') json = Math.max(json, quality(parameters))
  }
  return html > 0 && html >= json
}

function quality(parameters: readonly string[]): number {
  const text = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  if (text === undefined) return 1
  return /^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0
}
