/** User and secret of `Basic` credentials (RFC 7617). */
export interface BasicCredentials {
  readonly user: string
  readonly secret: Buffer
}

/** A secret is no document. */
const maxLength = 1024

const colon = 0x3a
const space = 0x20
const lastPrintable = 0x7e

/** The value of an Authorization or Proxy-Authorization field; undefined where it is no whole `Basic`. */
export function readBasicCredentials(value: string): BasicCredentials | undefined {
  if (value.length > maxLength) return undefined
  const [, text] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value) ?? []
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64')
  // What reads in two ways, or not to its end, is not read at all.
  if (bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) return undefined
  const end = bytes.indexOf(colon)
  if (end <= 0) return undefined
  const user = bytes.subarray(0, end)
  if (user.some((byte) => byte <= space || byte > lastPrintable)) return undefined
  return { user: user.toString('latin1'), secret: bytes.subarray(end + 1) }
}
