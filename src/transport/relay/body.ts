import { ChunkedReader, ChunkedStep } from '../../wire/chunked.ts'
import { chunked, type Framing, untilClose } from '../../wire/framing.ts'

/**
 * The body of one message on its way through: as it is framed where it comes from, and as it is to be framed where it
 * goes. Lengths pass through; chunks are read strictly and written anew, many small ones as one.
 *
 *   bytes ── take ──▶ pieces of content ── copyTo ──▶ framed for the other side
 *
 * Owned by one crossing, used again for the next message by `begin`.
 */
export class Body {
  /** The content that the last `take` found, as offsets into its bytes: one piece as a rule, pairs for more of them. */
  #from = 0
  #to = 0
  #more: number[] | undefined
  #pieceBytes = 0
  #left = 0
  #reader: ChunkedReader | undefined
  #isUntilClose = false
  #writesChunks = false
  #isWhole = true
  #isMalformed = false

  /** `framing` is not `ambiguous`. `writesChunks`: how it is framed for the other side, else as it is. */
  begin(framing: Framing, writesChunks: boolean): void {
    this.#clear()
    this.#writesChunks = writesChunks
    this.#isUntilClose = framing === untilClose
    this.#left = Math.max(0, framing)
    this.#isWhole = framing === 0
    this.#isMalformed = false
    if (framing !== chunked) this.#reader = undefined
    else if (this.#reader === undefined) this.#reader = new ChunkedReader()
    else this.#reader.reset()
  }

  /** All of it has come. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** What came is no body of its framing. */
  get isMalformed(): boolean {
    return this.#isMalformed
  }

  /** Content in the last `take`. */
  get pieceBytes(): number {
    return this.#pieceBytes
  }

  /** Ends with the connection, and that has ended in order. */
  endByClose(): boolean {
    if (this.#isUntilClose) this.#isWhole = true
    this.#clear()
    return this.#isUntilClose
  }

  /** Reads on in the bytes from `at` to `end`; returns how far it belongs to this body. */
  take(bytes: Uint8Array, at: number, end: number): number {
    this.#clear()
    if (this.#isWhole) return at
    if (this.#reader !== undefined) return this.#takeChunks(this.#reader, { bytes, at, end })
    const upTo = this.#isUntilClose ? end : Math.min(end, at + this.#left)
    if (upTo > at) this.#add(at, upTo)
    if (!this.#isUntilClose) {
      this.#left -= upTo - at
      this.#isWhole = this.#left === 0
    }
    return upTo
  }

  #takeChunks(
    reader: ChunkedReader,
    { bytes, at, end }: { bytes: Uint8Array; at: number; end: number },
  ): number {
    let here = at
    while (here < end) {
      here = reader.read(bytes, here, end)
      if (reader.step === ChunkedStep.data) this.#add(reader.dataStart, reader.dataEnd)
      else if (reader.step === ChunkedStep.malformed) this.#isMalformed = true
      else if (reader.step === ChunkedStep.end) this.#isWhole = true
      if (this.#isWhole || this.#isMalformed) break
    }
    return here
  }

  #clear(): void {
    this.#pieceBytes = 0
    if (this.#more !== undefined) this.#more.length = 0
  }

  #add(from: number, to: number): void {
    if (this.#pieceBytes === 0) {
      this.#from = from
      this.#to = to
    } else {
      this.#more ??= []
      this.#more.push(from, to)
    }
    this.#pieceBytes += to - from
  }

  /** How many bytes `copyTo` writes. */
  get framedBytes(): number {
    if (!this.#writesChunks) return this.#pieceBytes
    const last = this.#isWhole ? lastChunk.length : 0
    if (this.#pieceBytes === 0) return last
    return this.#pieceBytes.toString(16).length + 2 * lineEnd.length + this.#pieceBytes + last
  }

  /** Writes what the last `take` found, framed for the other side. `target` has room for `framedBytes` from `at`. */
  copyTo(target: Buffer, at: number, source: Buffer): void {
    let here = at
    const isChunk = this.#writesChunks && this.#pieceBytes > 0
    if (isChunk) here += target.write(`${this.#pieceBytes.toString(16)}${lineEnd}`, here, 'latin1')
    if (this.#pieceBytes > 0) here += source.copy(target, here, this.#from, this.#to)
    const more = this.#more
    if (more !== undefined) {
      for (let index = 0; index + 1 < more.length; index += 2) {
        here += source.copy(target, here, more[index], more[index + 1])
      }
    }
    if (isChunk) here += target.write(lineEnd, here, 'latin1')
    if (this.#writesChunks && this.#isWhole) target.write(lastChunk, here, 'latin1')
  }
}

const lineEnd = '\r\n'
const lastChunk = '0\r\n\r\n'
