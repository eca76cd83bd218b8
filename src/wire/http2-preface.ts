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

/** The line that a client of HTTP/2 begins with (RFC 9113 3.4); no request of HTTP/1 looks like it. */
const firstLine = Buffer.from('PRI * HTTP/2.0\r\n')

/** Whether a client speaks HTTP/2 from `start` on. */
export function beginsHttp2(bytes: Buffer, start: number): boolean {
  const end = start + firstLine.length
  return end <= bytes.length && bytes.compare(firstLine, 0, firstLine.length, start, end) === 0
}
