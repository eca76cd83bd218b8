/** Classes of bytes that HTTP/1 messages are made of, as tables: one look-up a byte. */

export const tab = 0x09
export const lineFeed = 0x0a
export const carriageReturn = 0x0d
export const space = 0x20
export const colon = 0x3a

/** In ASCII this bit makes a letter small; it leaves `-` and digits alone. */
export const smallBit = 0x20

/** Bytes of a token (RFC 9110 5.6.2): 1, else 0. */
export const isTokenByte = tableOf((byte) =>
  /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte)),
)

/** Bytes of a field value or a quoted string: field-vchar, space and tab (RFC 9110 5.5): 1, else 0. */
export const isTextByte = tableOf((byte) => byte === tab || (byte >= space && byte !== 0x7f))

/** Bytes of a request target as far as lines and spaces go: 1, else 0. What it may hold besides is judged later. */
export const isTargetByte = tableOf((byte) => byte > space && byte !== 0x7f)

/** What a hexadecimal digit is worth, or -1. */
export function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const small = byte | smallBit
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : -1
}

function tableOf(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0))
}

/** The text of the bytes from `from` to `to`, a character a byte: what HTTP/1 heads are read and written as. */
export function latin1(bytes: Buffer, from: number | undefined, to: number | undefined): string {
  return bytes.toString('latin1', from, to)
}
