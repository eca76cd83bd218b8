import { smallBit } from './octets.ts'

/**
 * The fields of a message head that decide where it ends or that a proxy must not pass on as they are, told apart while
 * the head is scanned: by length and letters, without making a string.
 */

export const FieldKind = {
  other: 0,
  contentLength: 1,
  transferEncoding: 2,
  connection: 3,
  /** Between two neighbours only, whatever Connection says (RFC 9110 7.6.1). */
  hopByHop: 4,
  keepAlive: 5,
  upgrade: 6,
  expect: 7,
  host: 8,
  date: 9,
  /** `x-ringfence-correlation-id` */
  correlationId: 10,
  /** `x-ms-request-id` */
  requestId: 11,
  /** `www-authenticate` */
  authenticate: 12,
  /** For the next hop only, as `hopByHop`. */
  proxyAuthenticate: 13,
} as const

const kinds: readonly (readonly [name: string, kind: number])[] = [
  ['content-length', FieldKind.contentLength],
  ['transfer-encoding', FieldKind.transferEncoding],
  ['connection', FieldKind.connection],
  ['proxy-authenticate', FieldKind.proxyAuthenticate],
  ['proxy-authentication-info', FieldKind.hopByHop],
  ['proxy-authorization', FieldKind.hopByHop],
  ['proxy-connection', FieldKind.hopByHop],
  ['te', FieldKind.hopByHop],
  ['trailer', FieldKind.hopByHop],
  ['keep-alive', FieldKind.keepAlive],
  ['upgrade', FieldKind.upgrade],
  ['www-authenticate', FieldKind.authenticate],
  ['expect', FieldKind.expect],
  ['host', FieldKind.host],
  ['date', FieldKind.date],
  ['x-ringfence-correlation-id', FieldKind.correlationId],
  ['x-ms-request-id', FieldKind.requestId],
]

const byLength: readonly (readonly (readonly [name: string, kind: number])[])[] = Array.from(
  { length: 1 + Math.max(...kinds.map(([name]) => name.length)) },
  (_, length) => kinds.filter(([name]) => name.length === length),
)

/** What the name at these places is. Only its own spelling counts, in any letter case. */
export function fieldKindOf(bytes: Uint8Array, start: number, end: number): number {
  const candidates = byLength[end - start]
  if (candidates === undefined) return FieldKind.other
  for (const [name, kind] of candidates) {
    let index = 0
    while (start + index < end && isLetter(bytes[start + index], name.charCodeAt(index))) index++
    if (start + index === end) return kind
  }
  return FieldKind.other
}

/** `-` must be itself: with the bit set, a carriage return would be one too. */
function isLetter(byte: number | undefined, small: number): boolean {
  return byte === small || (byte !== undefined && small > 0x60 && (byte | smallBit) === small)
}
