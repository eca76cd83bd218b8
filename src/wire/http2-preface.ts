import { http2ErrorCode } from './http2-error-code.ts'

/**
 * What a client hears that speaks HTTP/2 where nobody agreed on it: an empty SETTINGS, with which a server has to begin
 * (RFC 9113 3.4), and GOAWAY with HTTP_1_1_REQUIRED.
 */
export const http11Required: Buffer = Buffer.concat([
  Buffer.from('000000040000000000', 'hex'),
  Buffer.from('000008070000000000', 'hex'),
  Buffer.from([0, 0, 0, 0, 0, 0, 0, http2ErrorCode.http11Required]),
])
