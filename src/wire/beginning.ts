import { lineFeed, latin1 } from './octets.ts'

/** What a client may speak that was asked for nothing yet. */
export type Beginning = 'http' | 'tls' | 'other'

const handshakeRecord = 22

/** What a request line has whoever wrote it; a request that is none is refused by whoever reads it. */
const requestLine =
  /^(?:[A-Za-z-]+ .*HTTP\/1|(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|CONNECT|TRACE) )/i

/** Tells by the first bytes, or, where they might be a request, by the first line. Undefined: more is needed. */
export function readBeginning(bytes: Buffer): Beginning | undefined {
  const [first] = bytes
  if (first === undefined) return undefined
  if (first === handshakeRecord) return 'tls'
  if (!isLetter(first)) return 'other'
  const end = bytes.indexOf(lineFeed)
  if (end === -1) return undefined
  return requestLine.test(latin1(bytes, 0, end)) ? 'http' : 'other'
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
}
