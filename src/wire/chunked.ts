import { foldName } from './headers.ts'
import { carriageReturn, colon, hexValue, isTextByte, isTokenByte, lineFeed } from './octets.ts'

/**
 * Reads a chunked body (RFC 9112 7.1), strictly: sizes in hexadecimal digits, CRLF after each size and each chunk,
 * extensions and trailer fields checked for their bytes and dropped. A reader takes bytes as they come, in any cut.
 */

/** What `read` stopped at. */
export const ChunkedStep = {
  /** All bytes are taken and the body goes on. */
  more: 0,
  /** `dataStart` to `dataEnd` is content. */
  data: 1,
  /** The body is over, trailer section included. */
  end: 2,
  /** These bytes are no chunked body. */
  malformed: 3,
} as const

const State = {
  sizeFirst: 0,
  size: 1,
  sizeLineFeed: 2,
  data: 3,
  dataReturn: 4,
  dataLineFeed: 5,
  extensionFirst: 6,
  extensionName: 7,
  extensionValueFirst: 8,
  extensionValue: 9,
  quoted: 10,
  escaped: 11,
  quotedEnd: 12,
  trailerStart: 13,
  trailerName: 14,
  trailerValue: 15,
  trailerLineFeed: 16,
  lastLineFeed: 17,
  over: 18,
} as const

/** 2^48 bytes: what a size may be and still be counted exactly. */
const maxSizeDigits = 12
/** Extensions of one chunk. Nobody uses them, but they are bytes that cost work and move nothing (CVE-2023-39326). */
const maxExtensionBytes = 256
/** All trailer fields together. */
const maxTrailerBytes = 4096

const quote = 0x22
const semicolon = 0x3b
const equals = 0x3d
const backslash = 0x5c

export class ChunkedReader {
  /** Content that the last `read` found, as offsets into the bytes it was given. */
  dataStart = 0
  dataEnd = 0
  #state: number = State.sizeFirst
  #left = 0
  #digits = 0
  #extra = 0
  #trailerName = ''
  #step: number = ChunkedStep.more

  /** What the last `read` stopped at. */
  get step(): number {
    return this.#step
  }

  /** Ready for the next body. */
  reset(): void {
    this.#state = State.sizeFirst
    this.#step = ChunkedStep.more
    this.#extra = 0
  }

  /** Reads on from `at` as far as the next content, the end or `end`, and returns how far it came; `step` says why. */
  read(bytes: Uint8Array, at: number, end: number): number {
    this.#step = ChunkedStep.more
    let here = at
    while (here < end) {
      if (this.#state === State.data) {
        const upTo = Math.min(end, here + this.#left)
        this.dataStart = here
        this.dataEnd = upTo
        this.#left -= upTo - here
        if (this.#left === 0) this.#state = State.dataReturn
        this.#step = ChunkedStep.data
        return upTo
      }
      this.#state = this.#next(bytes[here] ?? 0)
      if (this.#state === malformed) {
        this.#step = ChunkedStep.malformed
        return here
      }
      here++
      if (this.#state === State.over) {
        this.#step = ChunkedStep.end
        return here
      }
    }
    return here
  }

  #next(byte: number): number {
    switch (this.#state) {
      case State.sizeFirst:
        this.#left = 0
        this.#digits = 0
        return hexValue(byte) === -1 ? malformed : this.#addDigit(byte)
      case State.size:
        if (hexValue(byte) !== -1) return this.#addDigit(byte)
        if (byte === carriageReturn) return State.sizeLineFeed
        this.#extra = 0
        return byte === semicolon ? State.extensionFirst : malformed
      case State.sizeLineFeed:
        if (byte !== lineFeed) return malformed
        this.#extra = 0
        return this.#left === 0 ? State.trailerStart : State.data
      case State.dataReturn:
        return byte === carriageReturn ? State.dataLineFeed : malformed
      case State.dataLineFeed:
        return byte === lineFeed ? State.sizeFirst : malformed
      case State.trailerStart:
      case State.trailerName:
      case State.trailerValue:
      case State.trailerLineFeed:
      case State.lastLineFeed:
        return this.#nextOfTrailer(byte)
      // Nothing is read behind the end of a body, and nothing makes a broken one whole again.
      case State.over:
      case malformed:
        return malformed
      default:
        return this.#nextOfExtension(byte)
    }
  }

  #addDigit(byte: number): number {
    this.#left = this.#left * 16 + hexValue(byte)
    return ++this.#digits > maxSizeDigits ? malformed : State.size
  }

  /** `;` name [`=` token or quoted string], as often as it likes, without white space (RFC 9112 7.1.1). */
  #nextOfExtension(byte: number): number {
    if (++this.#extra > maxExtensionBytes) return malformed
    switch (this.#state) {
      case State.extensionFirst:
        return isTokenByte[byte] === 1 ? State.extensionName : malformed
      case State.extensionName:
        if (isTokenByte[byte] === 1) return State.extensionName
        return byte === equals ? State.extensionValueFirst : afterExtension(byte)
      case State.extensionValueFirst:
        if (byte === quote) return State.quoted
        return isTokenByte[byte] === 1 ? State.extensionValue : malformed
      case State.extensionValue:
        return isTokenByte[byte] === 1 ? State.extensionValue : afterExtension(byte)
      case State.quoted:
        if (byte === backslash) return State.escaped
        if (byte === quote) return State.quotedEnd
        return isTextByte[byte] === 1 ? State.quoted : malformed
      case State.escaped:
        return isTextByte[byte] === 1 ? State.quoted : malformed
      default:
        return afterExtension(byte)
    }
  }

  #addToName(byte: number): number {
    this.#trailerName += String.fromCharCode(byte)
    return isTokenByte[byte] === 1 ? State.trailerName : malformed
  }

  #nextOfTrailer(byte: number): number {
    if (++this.#extra > maxTrailerBytes) return malformed
    switch (this.#state) {
      case State.trailerStart:
        if (byte === carriageReturn) return State.lastLineFeed
        this.#trailerName = ''
        return this.#addToName(byte)
      case State.trailerName:
        if (byte !== colon) return this.#addToName(byte)
        return isFraming(this.#trailerName) ? malformed : State.trailerValue
      case State.trailerValue:
        if (byte === carriageReturn) return State.trailerLineFeed
        return isTextByte[byte] === 1 ? State.trailerValue : malformed
      case State.trailerLineFeed:
        return byte === lineFeed ? State.trailerStart : malformed
      default:
        return byte === lineFeed ? State.over : malformed
    }
  }
}

const malformed = -1

/** Never a trailer (RFC 9110 6.5.1): some readers would take it for what it says of itself. */
function isFraming(name: string): boolean {
  const folded = foldName(name)
  return folded === 'content-length' || folded === 'transfer-encoding'
}

function afterExtension(byte: number): number {
  if (byte === carriageReturn) return State.sizeLineFeed
  return byte === semicolon ? State.extensionFirst : malformed
}
