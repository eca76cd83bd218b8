import { headerValues, type RawHeaders } from './headers.ts'

/**
 * Turns the head of an HTTP/2 request (RFC 9113 8.3) into the head of the HTTP/1.1 message that it means, so that one
 * code judges both and a back end of HTTP/1.1 gets what was judged. Whatever HTTP/1.1 could not say, or would say in
 * another way, is refused: request smuggling by downgrade begins with repairs.
 */

export interface Http2HeadInput {
  /** As Node gives them: pseudo-headers first, then fields, in order. */
  readonly rawHeaders: RawHeaders
  /** No body follows. */
  readonly endsStream: boolean
  readonly isSecure: boolean
}

export interface Http2Message {
  readonly method: string
  /** `:path`, or for CONNECT the authority. */
  readonly target: string
  /** With Host first, cookies in one field and the framing that the body needs. */
  readonly rawHeaders: RawHeaders
  /** Bytes that the head would have in HTTP/1.1. */
  readonly bytes: number
  /** Why it must be refused whatever it asks for: a fixed phrase for the log. The rest is then only for its record. */
  readonly problem: string | undefined
}

/** Field names of HTTP/2 (RFC 9113 8.2.1): tokens without capitals. */
const plainName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

/** Without controls but tab, and not padded: a value is what is between the paddings (RFC 9113 8.2.1, RFC 9110 5.5). */
const plainValue = /^(?![ \t])[\t\x20-\x7e\x80-\xff]*(?<![ \t])$/

/** Methods as they are registered; HTTP/1.1 parsers take no others. */
const plainMethod = /^[A-Z]+(?:-[A-Z]+)*$/

/** Never a request of anybody: it begins the preface (RFC 9113 11.6). */
const reservedMethod = 'PRI'

/** Fields about a connection have no place in HTTP/2 (RFC 9113 8.2.2; RFC 7540 3.2.1 for the second). */
const connectionSpecific: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** Reads a head; never throws. */
export function readHttp2Head({ rawHeaders, endsStream, isSecure }: Http2HeadInput): Http2Message {
  const pseudo = new Map<string, string>()
  const fields: string[] = []
  let cookies: string | undefined
  let problem: string | undefined
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    if (name.startsWith(':')) {
      if (pseudo.has(name) || fields.length > 0 || cookies !== undefined) {
        problem ??= 'a pseudo-header twice or behind a field'
      }
      pseudo.set(name, value)
    } else {
      problem ??= judgeField(name, value)
      // Clients part them for better compression (RFC 9113 8.2.3).
      if (name === 'cookie') cookies = cookies === undefined ? value : `${cookies}; ${value}`
      else fields.push(name, value)
    }
  }
  if (cookies !== undefined) fields.push('cookie', cookies)
  const method = pseudo.get(':method') ?? ''
  const authority = pseudo.get(':authority')
  const target = (method === 'CONNECT' ? authority : pseudo.get(':path')) ?? ''
  problem ??= judgePseudo(pseudo, isSecure) ?? judgeAgreement(fields, { authority, endsStream })
  const named = authority === undefined ? fields : withHost(authority, fields)
  const framed = endsStream || headerValues(named, 'content-length').length > 0
  const message = framed ? named : [...named, 'transfer-encoding', 'chunked']
  return {
    method,
    target,
    rawHeaders: message,
    bytes: countBytes(method, target, message),
    problem,
  }
}

function judgeField(name: string, value: string): string | undefined {
  if (!plainName.test(name)) return 'a field name that is none'
  if (!plainValue.test(value)) return 'a field value that is none'
  if (connectionSpecific.has(name)) return 'a field for one connection in HTTP/2'
  if (name === 'te' && value !== 'trailers') return 'TE other than trailers in HTTP/2'
  return undefined
}

/** Each that there must be and none besides: `:protocol` would be an extended CONNECT, which is not offered (RFC 8441). */
function judgePseudo(pseudo: ReadonlyMap<string, string>, isSecure: boolean): string | undefined {
  const method = pseudo.get(':method')
  if (method === undefined || !plainMethod.test(method) || method === reservedMethod) {
    return 'method is not a method'
  }
  for (const name of pseudo.keys()) {
    if (!requestPseudo.has(name)) return 'a pseudo-header that is not for a request'
  }
  if (method === 'CONNECT') return undefined
  if (pseudo.get(':scheme') !== (isSecure ? 'https' : 'http')) {
    return 'scheme is not that of the connection'
  }
  return undefined
}

const requestPseudo: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority'])

function judgeAgreement(
  fields: RawHeaders,
  { authority, endsStream }: { authority: string | undefined; endsStream: boolean },
): string | undefined {
  // RFC 9113 8.3.1: they must not differ. Which of the two a back end would believe is its own affair.
  const isOther = (host: string): boolean => host.toLowerCase() !== authority?.toLowerCase()
  if (authority !== undefined && headerValues(fields, 'host').some(isOther)) {
    return 'Host differs from :authority'
  }
  if (endsStream && headerValues(fields, 'content-length').some((value) => Number(value) !== 0)) {
    return 'Content-Length without a body'
  }
  return undefined
}

/** One Host, where it says the same as the authority. */
function withHost(authority: string, fields: readonly string[]): string[] {
  const named = ['host', authority]
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index] !== 'host') named.push(fields[index] ?? '', fields[index + 1] ?? '')
  }
  return named
}

/** ` HTTP/1.1` and the ends of the first line and of the head. */
const fixedBytes = 14

/** Colon, space and the end of the line. */
const bytesOfField = 4

function countBytes(method: string, target: string, fields: RawHeaders): number {
  let bytes = method.length + target.length + fixedBytes
  for (const part of fields) bytes += part.length + bytesOfField / 2
  return bytes
}
