import { randomFillSync } from 'node:crypto'
import { latin1 } from '../wire/octets.ts'

/** Random bytes of so many ids are fetched at once. */
const idsPerFill = 256
const bytesPerId = 16

const dash = 0x2d
const digits = Buffer.from('0123456789abcdef', 'latin1')
/** Before which bytes of the id a dash stands (RFC 9562 4). */
const dashesBefore: ReadonlySet<number> = new Set([4, 6, 8, 10])
const textLength = 36

/** Where the two digits of each byte stand in the text. */
const places = Uint8Array.from({ length: bytesPerId }, (_, index) => {
  const dashes = [...dashesBefore].filter((before) => before <= index).length
  return index * 2 + dashes
})

/**
 * Random ids of the form of a UUID, version 4 (RFC 9562 5.4), each a string in one piece: `randomUUID` joins its from
 * twenty, which whoever writes the id somewhere then visits one by one. `fill` fills with random bytes; for tests.
 */
export function createCorrelationIds(
  fill: (bytes: Uint8Array) => unknown = randomFillSync,
): () => string {
  const random = new Uint8Array(idsPerFill * bytesPerId)
  const text = Buffer.alloc(textLength, dash)
  let at = random.length

  return () => {
    if (at === random.length) {
      fill(random)
      at = 0
    }
    for (let index = 0; index < bytesPerId; index++) {
      let byte = random[at + index] ?? 0
      // The version and the variant.
      if (index === 6) byte = (byte & 0x0f) | 0x40
      else if (index === 8) byte = (byte & 0x3f) | 0x80
      const place = places[index] ?? 0
      text[place] = digits[byte >> 4] ?? 0
      text[place + 1] = digits[byte & 0x0f] ?? 0
    }
    at += bytesPerId
    return latin1(text, 0, textLength)
  }
}
