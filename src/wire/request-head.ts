import { type Authority, formatAuthority, parseAuthority } from './authority.ts'
import { connectionOptions, foldName, headerValues, type RawHeaders } from './headers.ts'

/**
 * Judges the head of an HTTP/1 request beyond what `node:http` refuses by itself: who is addressed must be one answer,
 * and where the body ends must be one answer, whoever reads the message after us. Nothing is repaired.
 */

export interface HeadInput {
  readonly method: string
  /** The request target as it arrived. */
  readonly target: string
  /** `1.0` or `1.1`; everything else is refused. */
  readonly httpVersion: string
  readonly rawHeaders: RawHeaders
  /** Taken where an authority has no port. Unused for CONNECT, whose port is mandatory. */
  readonly defaultPort: number
  /** Most header lines that are allowed. Node must be told to keep at least one more, or it drops the rest silently. */
  readonly headerCount: number
}

export type HeadReading =
  | {
      readonly kind: 'head'
      readonly authority: Authority
      /** Path and query, as they arrived. Empty for CONNECT. May begin with `//`: never give it to a URL parser. */
      readonly path: string
    }
  | BadRequest

export interface BadRequest {
  readonly kind: 'bad-request'
  /** A fixed phrase for the log, never a client's bytes. */
  readonly detail: string
  /** Where it is finer than 400. */
  readonly status?: number
}

/** Visible ASCII without backslash and `#` (RFC 9112 3.2: a target has no fragment; a backslash is a slash to some). */
const plainTarget = /^[\x21-\x22\x24-\x5b\x5d-\x7e]+$/

/** RFC 6585 5. */
const tooManyLines = 'too many header lines'

/** RFC 9110 8.6 allows zeros in front, by which some take a number for an octal one: we chose to refuse them. */
const contentLength = /^(?:0|[1-9][0-9]{0,14})$/

/** A request to a resource: origin-form, and Host alone says for whom (RFC 9112 3.2.1). */
export function readInboundHead(input: HeadInput): HeadReading {
  const problem = judgeMessage(input) ?? judgeTarget(input.target)
  if (problem !== undefined) return badRequest(problem)
  if (input.method === 'CONNECT') return badRequest('CONNECT to a resource')
  if (!input.target.startsWith('/')) return badRequest('target is not a path')
  const authority = readHost(input)
  if (typeof authority === 'string') return badRequest(authority)
  return { kind: 'head', authority, path: input.target }
}

/** A request to the world: absolute-form, `http:` only, and Host must agree with it (RFC 9112 3.2.2). */
export function readOutboundHead(input: HeadInput): HeadReading {
  const problem = judgeMessage(input) ?? judgeTarget(input.target)
  if (problem !== undefined) return badRequest(problem)
  const { target } = input
  if (target.slice(0, httpScheme.length).toLowerCase() !== httpScheme) {
    return badRequest('target is not an absolute http URI')
  }
  const rest = target.slice(httpScheme.length)
  const end = rest.search(/[/?]/)
  const authority = parseAuthority(end === -1 ? rest : rest.slice(0, end), input.defaultPort)
  if (authority === undefined) return badRequest('target authority is not host or host:port')
  const host = readHost(input)
  if (typeof host === 'string') return badRequest(host)
  if (formatAuthority(host) !== formatAuthority(authority)) {
    return badRequest('Host differs from the target')
  }
  const after = end === -1 ? '' : rest.slice(end)
  return { kind: 'head', authority, path: after.startsWith('/') ? after : `/${after}` }
}

const httpScheme = 'http://'

/**
 * CONNECT: authority-form with its port, no content (RFC 9110 9.3.6, RFC 9112 3.2.3). The target alone decides; Host is
 * never forwarded and may be absent from HTTP/1.0, and clients that put the proxy's own name there are served.
 */
export function readConnectTarget(input: HeadInput): HeadReading {
  const problem = judgeMessage(input) ?? judgeTarget(input.target)
  if (problem !== undefined) return badRequest(problem)
  if (input.method !== 'CONNECT') return badRequest('method is not CONNECT')
  if (headerValues(input.rawHeaders, 'transfer-encoding').length > 0) {
    return badRequest('CONNECT with a body')
  }
  if (headerValues(input.rawHeaders, 'content-length').some((value) => Number(value) !== 0)) {
    return badRequest('CONNECT with a body')
  }
  const authority = parseAuthority(input.target)
  if (authority === undefined) return badRequest('CONNECT target is not host:port')
  const hosts = headerValues(input.rawHeaders, 'host')
  if (hosts.length > 1) return badRequest('several Host headers')
  const host = hosts[0]
  if (host === undefined && input.httpVersion !== '1.0') return badRequest('no Host header')
  if (host !== undefined && parseAuthority(host, authority.port) === undefined) {
    return badRequest('Host is not host or host:port')
  }
  return { kind: 'head', authority, path: '' }
}

/** What holds for every request: version, number of header lines, framing that reads one way only (RFC 9112 6), `Expect`. */
function judgeMessage({ httpVersion, rawHeaders, headerCount }: HeadInput): string | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'HTTP version is not 1.0 or 1.1'
  if (rawHeaders.length / 2 > headerCount) return tooManyLines
  let lengths = 0
  let encodings = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const value = rawHeaders[index + 1] ?? ''
    if (name === 'content-length') {
      lengths++
      if (!contentLength.test(value)) return 'Content-Length is not a number'
    } else if (name === 'transfer-encoding') {
      encodings++
      if (value.toLowerCase() !== 'chunked') return 'Transfer-Encoding is not chunked alone'
    } else if (name === 'expect') {
      // Whoever may not ignore it would be told that we do what we do not (RFC 9110 10.1.1).
      if (value.toLowerCase() !== '100-continue') return 'unknown expectation'
    } else if (isFramingInDisguise(name)) {
      return 'framing header in another spelling'
    }
  }
  if (lengths > 1) return 'several Content-Length headers'
  if (encodings > 1) return 'several Transfer-Encoding headers'
  if (encodings === 1 && lengths === 1) return 'Content-Length together with Transfer-Encoding'
  // RFC 9112 6.1: the framing of such a message is to be treated as faulty.
  if (encodings === 1 && httpVersion === '1.0') return 'Transfer-Encoding in HTTP/1.0'
  const options = connectionOptions(rawHeaders)
  if (options.has('content-length') || options.has('host')) {
    return 'Connection names a header that is not for it'
  }
  return undefined
}

/** `Transfer_Encoding` is no framing to us, but it is to a back end that folds names. */
function isFramingInDisguise(lowerName: string): boolean {
  const folded = foldName(lowerName)
  return folded === 'content-length' || folded === 'transfer-encoding'
}

/** Whether a target is a path and query of plain characters: all that is asked of it where Host says for whom it is. */
export function isOriginForm(target: string): boolean {
  return target.startsWith('/') && plainTarget.test(target)
}

function judgeTarget(target: string): string | undefined {
  return plainTarget.test(target) ? undefined : 'target holds characters that do not belong there'
}

/** The one Host (RFC 9112 3.2), or what is wrong with it. */
function readHost({ rawHeaders, defaultPort }: HeadInput): Authority | string {
  const hosts = headerValues(rawHeaders, 'host')
  if (hosts.length > 1) return 'several Host headers'
  const host = hosts[0]
  if (host === undefined) return 'no Host header'
  return parseAuthority(host, defaultPort) ?? 'Host is not host or host:port'
}

function badRequest(detail: string): BadRequest {
  if (detail === tooManyLines) return { kind: 'bad-request', detail, status: 431 }
  return { kind: 'bad-request', detail }
}
