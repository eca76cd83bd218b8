/** A value in DER (X.690), as certificates and revocation lists are written. */
export interface DerValue {
  readonly tag: number
  readonly content: Buffer
  /** Tag, length and content. */
  readonly whole: Buffer
}

/** Universal tags (X.680 8.6), and those of context, which X.509 chooses by its own numbers. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  context0: 0xa0,
  context3: 0xa3,
} as const

/** Longer lengths would be of more than a gigabyte. */
const maxLengthBytes = 4

/**
 * Reads values one after the other. Strict: lengths in their shortest form, nothing that reaches beyond what holds it. What
 * is not so makes every later answer undefined, and `isAtEnd` false for good.
 */
export class DerReader {
  readonly #bytes: Buffer
  #at = 0
  #isBroken = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return !this.#isBroken && this.#at === this.#bytes.length
  }

  /** The next value if it has the tag; anything else is not what it should be. */
  take(tag: number): DerValue | undefined {
    const value = this.#next()
    if (value?.tag === tag) return value
    this.#isBroken = true
    return undefined
  }

  /** The next value if it has one of the tags; else it stays the next. */
  takeIf(...tags: readonly number[]): DerValue | undefined {
    const tag = this.#isBroken ? undefined : this.#bytes[this.#at]
    return tag !== undefined && tags.includes(tag) ? this.take(tag) : undefined
  }

  #next(): DerValue | undefined {
    if (this.#isBroken) return undefined
    const bytes = this.#bytes
    const start = this.#at
    const [tag, first] = bytes.subarray(start, start + 2)
    const size = first === undefined ? undefined : readLength(bytes, start + 1, first)
    if (tag === undefined || size === undefined || size.contentAt + size.length > bytes.length) {
      this.#isBroken = true
      return undefined
    }
    this.#at = size.contentAt + size.length
    return {
      tag,
      content: bytes.subarray(size.contentAt, this.#at),
      whole: bytes.subarray(start, this.#at),
    }
  }
}

function readLength(
  bytes: Buffer,
  at: number,
  first: number,
): { readonly length: number; readonly contentAt: number } | undefined {
  if (first < 0x80) return { length: first, contentAt: at + 1 }
  const count = first & 0x7f
  if (count === 0 || count > maxLengthBytes || at + 1 + count > bytes.length) return undefined
  const length = bytes.readUIntBE(at + 1, count)
  const isShortest = length >= 0x80 && bytes[at + 1] !== 0
  return isShortest ? { length, contentAt: at + 1 + count } : undefined
}

const timePattern = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

/** RFC 5280 4.1.2.5: in UTC, to the second. Milliseconds since the epoch. */
export function readDerTime({ tag, content }: DerValue): number | undefined {
  const text = content.toString('latin1')
  const [, ...parts] =
    timePattern.exec(tag === derTag.utcTime ? centuryOf(text) + text : text) ?? []
  if (parts.length === 0) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number)
  const time = new Date(Date.UTC(year, month - 1, day, hour, minute, second))
  const isReal = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && hour < 24
  return isReal && minute < 60 && second < 60 ? time.getTime() : undefined
}

/** Two digits of a year are of 1950 to 2049. */
function centuryOf(text: string): string {
  return text < '50' ? '20' : '19'
}
