import assert from 'node:assert/strict'
import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { FailureReason } from '../reasons.ts'
import { http2ErrorCode } from '../wire/http2-error-code.ts'
import { isIdempotent } from '../wire/methods.ts'
import { headerValues } from '../wire/headers.ts'
import type { BackendCall, BackendCallOptions } from './http-proxy.ts'
import type { BackendSession, BackendSessions } from './http2-backend.ts'
import { sendTrailers } from './http2-fields.ts'
import { fieldsOf, Http2Response } from './http2-response.ts'

/**
 * Sends a request on in HTTP/2: the same contract as over HTTP/1.1, with trailers both ways and both directions at once,
 * which gRPC needs.
 */
export function callHttp2Backend(options: BackendCallOptions): BackendCall {
  const { sessions } = options.target
  // Settings let no other back end speak it.
  assert(sessions !== undefined)
  return callOver(sessions, options)
}

function callOver(sessions: BackendSessions, options: BackendCallOptions): BackendCall {
  const { body, hasBody } = options
  let session: BackendSession
  let stream: ClientHttp2Stream
  let isDone = false
  let hasAnswered = false
  let isHeldBack = false

  function attempt(isFirst: boolean): void {
    const current = (session = sessions.take(!isFirst))
    const wasUsed = current.isUsed
    const opened = (stream = current.open(http2Headers(options), { hasBody }))
    opened.on('error', ignore)
    opened.once('response', (_headers, flags, rawHeaders) => {
      const endsStream = (flags & endStream) !== 0
      hasAnswered = true
      const response = new Http2Response(opened, { rawHeaders: rawHeaders ?? [], endsStream })
      if (isDone) return
      isDone = true
      options.onResponse(response)
    })
    opened.on('headers', (headers, _flags, rawHeaders) => {
      if (headers[':status'] === earlyHints && !isDone) options.onHint(fieldsOf(rawHeaders ?? []))
    })
    opened.once('close', () => {
      if (isDone) return
      if (isFirst && wasUsed && mayTryAgain(options, opened)) {
        attempt(false)
        return
      }
      isDone = true
      options.onFailure(current.failure ?? failureOf(opened.rstCode))
    })
    if (hasBody && isFirst) sendBody()
  }

  function sendBody(): void {
    stream.on('drain', () => {
      isHeldBack = false
      body.resume()
    })
    body.on('data', (chunk: Buffer) => {
      options.onBody(chunk.length)
      if (!stream.writable || stream.write(chunk)) return
      isHeldBack = true
      body.pause()
    })
    body.once('end', () => {
      if (options.isComplete()) stream.end()
    })
    stream.once('wantTrailers', () => {
      // What was given up waits for its reset.
      if (!stream.closed && options.isComplete()) sendTrailers(stream, options.trailers())
    })
  }

  attempt(true)
  if (!hasBody) body.resume()

  return {
    isHeldBack: () => isHeldBack,
    abort() {
      isDone = true
      session.giveUp(stream, hasAnswered)
    },
  }
}

const endStream = 0x1
const earlyHints = 103

/** A second attempt does no harm: nobody has seen the first, or it may be seen twice (RFC 9110 9.2.2, RFC 9113 8.7). */
function mayTryAgain({ hasBody, message }: BackendCallOptions, stream: ClientHttp2Stream): boolean {
  if (hasBody) return false
  return stream.rstCode === http2ErrorCode.refusedStream || isIdempotent(message.method ?? '')
}

function failureOf(code: number | undefined): FailureReason {
  const isInvalid = code === http2ErrorCode.protocolError || code === http2ErrorCode.http11Required
  return isInvalid ? 'backend-invalid' : 'backend-reset'
}

/** What was built for HTTP/1.1, as HTTP/2 says it (RFC 9113 8.3.1). */
function http2Headers({ headers, message, rawHeaders }: BackendCallOptions): OutgoingHttpHeaders {
  const { method = 'GET', url = '/' } = message
  const built: OutgoingHttpHeaders = { ':method': method, ':scheme': 'https', ':path': url }
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase()
    if (lower === 'host') built[':authority'] = String(value)
    else if (lower !== 'transfer-encoding') built[lower] = value
  }
  // The one value that there is (RFC 9113 8.2.2): gRPC servers want to see it.
  if (headerValues(rawHeaders, 'te').length > 0) built['te'] = 'trailers'
  return built
}

function ignore(): void {}
