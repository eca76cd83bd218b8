import type { FailureReason } from '../reasons.ts'
import { isIdempotent } from '../wire/methods.ts'
import type { Outgoing } from './answering.ts'
import type { OriginConnection } from './undici.ts'

/**
 * Whether a request that failed before any byte of an answer may be sent once more on a fresh connection: the destination may have
 * closed an idle one as the request arrived (RFC 9112 9.3.1). One of which nothing was written always may; else only
 * what does no harm twice, and never with content, which has been read.
 */
export function maySendAgain(
  { method, body }: Outgoing,
  failure: { readonly reason: FailureReason; readonly connection: OriginConnection | undefined },
): boolean {
  const { reason, connection } = failure
  if (reason !== 'backend-reset' || connection?.isReused !== true || connection.hasAnswer) {
    return false
  }
  return !connection.hasWritten || (body === undefined && isIdempotent(method))
}
