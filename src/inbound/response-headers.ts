import { headerValues, type RawHeaders, withoutHeaders } from '../wire/headers.ts'
import { forwardedResponseHeaders } from '../wire/response-head.ts'

/** Always ours, on everything that a resource answers: the id under which the access log has the request. */
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
