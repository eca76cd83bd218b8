import type { Http2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { RawHeaders } from '../wire/headers.ts'

/** Fields in the form that Node sends in HTTP/2: in lower case (RFC 9113 8.2.1), one key for each. */
export function collectFields(raw: RawHeaders): OutgoingHttpHeaders {
  const fields: Record<string, string | string[]> = {}
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase()
    const value = raw[index + 1] ?? ''
    const before = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (before === undefined) setField(fields, name, value)
    else if (typeof before === 'string') setField(fields, name, [before, value])
    else before.push(value)
  }
  return fields
}

/** Sends the fields behind a body. Where Node does not write one of them, none is sent: the body is whole all the same. */
export function sendTrailers(stream: Http2Stream, raw: RawHeaders): void {
  try {
    stream.sendTrailers(collectFields(raw))
  } catch {
    stream.sendTrailers({})
  }
}

/** `__proto__` is a field like any other. */
function setField(fields: object, name: string, value: string | string[]): void {
  Object.defineProperty(fields, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  })
}
