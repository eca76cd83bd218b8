import { headerValues, type RawHeaders } from './headers.ts'

/**
 * Whether a connection that has carried a message may carry that of another client. Two things outlast a message on it:
 * who the server takes its peer for, where it authenticates connections and not requests, and content that the server
 * did not expect and takes for the next request.
 */

/** NTLM, Negotiate (RFC 4559) and their kin: whoever uses the connection next is taken for whoever proved something on it. */
const connectionScheme = /(?:^|,)[ \t]*(?:ntlm|nego|kerberos)/i

/** Whether these credentials, or this challenge, are about the connection rather than about one request on it. */
export function bindsConnection(value: string): boolean {
  return connectionScheme.test(value)
}

/** Whether a request brings credentials that hold for the connection. */
export function hasBindingCredentials(rawHeaders: RawHeaders): boolean {
  return credentialFields.some((name) => headerValues(rawHeaders, name).some(bindsConnection))
}

/** Whether an answer asks for such credentials, or has taken some. */
export function hasBindingChallenge(rawHeaders: RawHeaders): boolean {
  return challengeFields.some((name) => headerValues(rawHeaders, name).some(bindsConnection))
}

const credentialFields = ['authorization', 'proxy-authorization'] as const
const challengeFields = ['www-authenticate', 'proxy-authenticate'] as const

/**
 * Methods whose content says something (RFC 9110 9.3, RFC 5789, RFC 10008, and WebDAV's: RFC 3253, 3744, 4791, 4918, 5323).
 * With any other, servers differ in whether they read it at all (RFC 9110 9.3.1: "request smuggling").
 */
const takingContent: ReadonlySet<string> = new Set([
  'ACL',
  'LOCK',
  'MERGE',
  'MKCALENDAR',
  'MKCOL',
  'NOTIFY',
  'PATCH',
  'POST',
  'PROPFIND',
  'PROPPATCH',
  'PUT',
  'QUERY',
  'REPORT',
  'SEARCH',
])

/** Whether a server may leave content of such a request unread, and take it for the next request. */
export function mayLeaveContent(method: string): boolean {
  return !takingContent.has(method)
}
