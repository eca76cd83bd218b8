/** A JSON pointer as a path (RFC 6901). Indexes stay texts: look-up takes both. */
export function pointerPath(pointer: string): readonly string[] {
  const parts = pointer.split('/').slice(1)
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}
