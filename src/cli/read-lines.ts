/** A line of input, or word that it was too long and is not here. Counted from 1. */
export type InputLine =
  | { readonly kind: 'line'; readonly number: number; readonly text: string }
  | { readonly kind: 'too-long'; readonly number: number }

const newline = 0x0a

/**
 * Splits a stream of UTF-8 into lines and never holds more than one of `maxBytes`; what is longer is passed over up to
 * its end. A last line needs no newline. Ownership of the stream stays with the caller.
 */
export async function* readLines(
  input: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): AsyncGenerator<InputLine> {
  let number = 1
  let held: Uint8Array[] = []
  let heldBytes = 0

  const hold = (part: Uint8Array): void => {
    heldBytes += part.length
    if (heldBytes > maxBytes) held = []
    else held.push(part)
  }
  const finish = (): InputLine => {
    const line: InputLine =
      heldBytes > maxBytes
        ? { kind: 'too-long', number }
        : { kind: 'line', number, text: Buffer.concat(held).toString('utf8') }
    number++
    held = []
    heldBytes = 0
    return line
  }

  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : chunk
    let start = 0
    for (;;) {
      const end = bytes.indexOf(newline, start)
      if (end === -1) break
      hold(bytes.subarray(start, end))
      yield finish()
      start = end + 1
    }
    if (start < bytes.length) hold(bytes.subarray(start))
  }
  if (heldBytes > 0) yield finish()
}
