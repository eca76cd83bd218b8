/** What a client asks, what is answered, and whether the next client may be served over the same upstream connection. */
export interface SharingCase {
  readonly note: string
  readonly method?: string
  /** Field lines of the request. */
  readonly fields?: string
  readonly body?: string
  /** Field lines of the answer. */
  readonly answered?: string
  readonly isShared: boolean
}

const five = { fields: 'Content-Length: 5\r\n', body: 'hello' }
const chunks = { fields: 'Transfer-Encoding: chunked\r\n', body: '5\r\nhello\r\n0\r\n\r\n' }

function asking(authorization: string): { readonly fields: string } {
  return { fields: `Authorization: ${authorization}\r\n` }
}

export const sharingCases: readonly SharingCase[] = [
  { note: 'nothing about it', isShared: true },
  { note: 'Basic', ...asking('Basic YTpi'), isShared: true },
  { note: 'Bearer', ...asking('Bearer ntlm'), isShared: true },
  { note: 'a key of Azure Storage', ...asking('SharedKey negotiate:abc='), isShared: true },
  { note: 'NTLM', ...asking('NTLM TlRMTVNTUAAD'), isShared: false },
  { note: 'Negotiate', ...asking('Negotiate YIIF'), isShared: false },
  { note: 'in small letters', ...asking('negotiate YIIF'), isShared: false },
  { note: 'Nego2', ...asking('Nego2 YIIF'), isShared: false },
  { note: 'Kerberos', ...asking('Kerberos YIIF'), isShared: false },
  {
    note: 'a challenge for Basic',
    answered: 'WWW-Authenticate: Basic realm="a"\r\n',
    isShared: true,
  },
  { note: 'a challenge for NTLM', answered: 'WWW-Authenticate: NTLM\r\n', isShared: false },
  {
    note: 'one of two lines',
    answered: 'WWW-Authenticate: Basic realm="a"\r\nwww-authenticate: Negotiate\r\n',
    isShared: false,
  },
  {
    note: 'one of two in a line',
    answered: 'WWW-Authenticate: Basic realm="a", Negotiate\r\n',
    isShared: false,
  },
  { note: 'of a proxy', answered: 'Proxy-Authenticate: NTLM TlRMTVNT\r\n', isShared: false },
  { note: 'content of POST', method: 'POST', ...five, isShared: true },
  { note: 'content of PUT, in chunks', method: 'PUT', ...chunks, isShared: true },
  { note: 'content of PROPFIND', method: 'PROPFIND', ...five, isShared: true },
  { note: 'content of GET', ...five, isShared: false },
  { note: 'content of GET, in chunks', ...chunks, isShared: false },
  { note: 'no content of GET', fields: 'Content-Length: 0\r\n', isShared: true },
  { note: 'content of HEAD', method: 'HEAD', ...five, isShared: false },
  { note: 'content of DELETE', method: 'DELETE', ...five, isShared: false },
  { note: 'content of OPTIONS', method: 'OPTIONS', ...five, isShared: false },
  { note: 'content of UNSUBSCRIBE', method: 'UNSUBSCRIBE', ...five, isShared: false },
]

/** Whether the last request of these bytes is whole. */
export function isAsked(text: string, { body }: SharingCase): boolean {
  return text.endsWith(body ?? '\r\n\r\n') || /GET \/next [^]*\r\n\r\n$/.test(text)
}

/** The answer to it. */
export function answerFor({ method, answered = '' }: SharingCase): string {
  const content = method === 'HEAD' ? '' : 'ok'
  return `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${answered}\r\n${content}`
}
