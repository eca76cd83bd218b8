/** Error codes of RST_STREAM and GOAWAY that are sent or looked for here (RFC 9113 7). */
export const http2ErrorCode = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  refusedStream: 0x7,
  cancel: 0x8,
  enhanceYourCalm: 0xb,
  http11Required: 0xd,
} as const
