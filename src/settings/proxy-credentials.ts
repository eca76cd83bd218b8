/** One line: a name without colon, a colon, a password. No controls: it becomes part of a field of a request. */
const line = /^[^\p{Cc}:]+:\P{Cc}*$/u

/** Reads `user:password` as Basic credentials (RFC 7617 2); undefined for anything else. One line end may follow. */
export function parseProxyCredentials(text: string): string | undefined {
  const credentials = text.replace(/\r?\n$/, '')
  if (!line.test(credentials)) return undefined
  return `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`
}
