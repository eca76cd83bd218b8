import { headerValues, type RawHeaders, withoutHeaders, withoutHopByHop } from './headers.ts'

/** What may be passed on of an answer's head, whichever way it goes. */

const noContent = 204
const firstFinal = 200

/**
 * Fields of an answer for the next client, as a flat list: hop-by-hop fields and those that Connection names are gone,
 * and so is a length where there is no content or chunks say where it ends (RFC 9110 8.6, RFC 9112 6.3). Undefined: it
 * is framed in a way that would mean something else to that client (a transfer coding that we would take off).
 */
export function forwardedResponseHeaders(
  status: number,
  rawHeaders: RawHeaders,
): string[] | undefined {
  const encodings = headerValues(rawHeaders, 'transfer-encoding')
  if (encodings.some((value) => value.toLowerCase() !== 'chunked')) return undefined
  const hasNoLength = status < firstFinal || status === noContent || encodings.length > 0
  const kept = withoutHopByHop(rawHeaders)
  return hasNoLength ? withoutHeaders(kept, (lowerName) => lowerName === 'content-length') : kept
}

/** Fields that say where a message goes or ends: behind it they are wrong (RFC 9110 6.5.1). */
export const neverBehind: ReadonlySet<string> = new Set(['content-length', 'host'])

/** Trailers for the next client, as a flat list. */
export function clientTrailers(rawTrailers: RawHeaders): string[] {
  return withoutHeaders(withoutHopByHop(rawTrailers), (lowerName) => neverBehind.has(lowerName))
}

/** Always ours, on every answer that is passed on: the id under which the access log has the request. */
const correlationField = 'x-ringfence-correlation-id'

/** Azure's name for the same. A back end's own is left as it is: clients show it to whoever runs the back end. */
const requestIdField = 'x-ms-request-id'

export interface ResponseHeadersInput {
  readonly status: number
  readonly rawHeaders: RawHeaders
  readonly correlationId: string
}

/**
 * What the client gets of a back end's fields, as a flat list: hop-by-hop fields and those that Connection names are
 * gone. Undefined: the answer is framed in a way that would mean something else to the client.
 */
export function clientHeaders(input: ResponseHeadersInput): string[] | undefined {
  const { status, rawHeaders, correlationId } = input
  const forwarded = forwardedResponseHeaders(status, rawHeaders)
  if (forwarded === undefined) return undefined
  const kept = withoutHeaders(forwarded, (lowerName) => lowerName === correlationField)
  kept.push(correlationField, correlationId)
  if (headerValues(kept, requestIdField).length === 0) kept.push(requestIdField, correlationId)
  return kept
}
