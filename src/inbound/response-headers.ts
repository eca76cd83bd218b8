import { headerValues, type RawHeaders, withoutHeaders, withoutHopByHop } from '../wire/headers.ts'

/** Always ours, on everything that a resource answers: the id under which the access log has the request. */
const correlationField = 'x-ringfence-correlation-id'

/** Azure's name for the same. A back end's own is left as it is: clients show it to whoever runs the back end. */
const requestIdField = 'x-ms-request-id'

const noContent = 204

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
  const encodings = headerValues(rawHeaders, 'transfer-encoding')
  if (encodings.some((value) => value.toLowerCase() !== 'chunked')) return undefined
  const kept = withoutHeaders(
    withoutHopByHop(rawHeaders),
    (lowerName) =>
      lowerName === correlationField ||
      // RFC 9110 8.6: never on 204, and a client that trusts it would wait for a body.
      (lowerName === 'content-length' && (status === noContent || encodings.length > 0)),
  )
  kept.push(correlationField, correlationId)
  if (headerValues(kept, requestIdField).length === 0) kept.push(requestIdField, correlationId)
  return kept
}
