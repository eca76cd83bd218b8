import type { CloseReason } from '../reasons.ts'

/** What a TLS client is told before its connection ends (RFC 8446 6, 6.2; nothing is encrypted before a server's hello). */
export function renderTlsAlert(reason: CloseReason): Buffer {
  return Buffer.from([alertRecord, 3, 3, 0, 2, fatal, descriptions.get(reason) ?? accessDenied])
}

const alertRecord = 21
const fatal = 2
const accessDenied = 49

const descriptions: ReadonlyMap<CloseReason, number> = new Map<CloseReason, number>([
  // unrecognized_name (RFC 6066 3)
  ['name-mismatch', 112],
  // missing_extension (RFC 8446 9.2)
  ['tls-name-absent', 109],
  // illegal_parameter
  ['tls-names-several', 47],
  // decode_error
  ['tls-unreadable', 50],
  // unexpected_message
  ['not-tls', 10],
])
