import type { Readable } from 'node:stream'

/** `HTTP/1.1 100 `: as much as tells one kind of head from another. */
const startLength = 13
const interimStart = /^HTTP\/1\.[01] 1(?!01)\d\d[ \r]/
const continueStart = /^HTTP\/1\.[01] 100[ \r]/
const headEnd = Buffer.from('\r\n\r\n')

export interface ContinueFilterOptions {
  /** The longest interim head that is waited for; a longer one is left to the parser. */
  readonly headerBytes: number
  /** One was taken out. */
  readonly onContinue: () => void
}

/**
 * Takes every 100 out of what comes before a final answer, wherever the pieces are cut. An origin may send 100s that it
 * was not asked for, and a client must be able to read them (RFC 9110 15.2). All else is passed on as it is.
 */
export class ContinueFilter {
  readonly #options: ContinueFilterOptions
  #held: Buffer = Buffer.alloc(0)
  #isThrough = false

  constructor(options: ContinueFilterOptions) {
    this.#options = options
  }

  /** What comes now is the final answer, or nothing that the filter knows. Nothing is held back any more. */
  get isThrough(): boolean {
    return this.#isThrough
  }

  /** What is to be read of these bytes and of those held back before; may be empty. */
  take(chunk: Buffer): Buffer {
    if (this.#isThrough) return chunk
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const passed: Buffer[] = []
    for (;;) {
      const start = rest.toString('latin1', 0, startLength)
      if (start.length < startLength && isPrefix(start)) break
      const end = interimStart.test(start) ? rest.indexOf(headEnd) : undefined
      if (end === -1 && rest.length <= this.#options.headerBytes) break
      if (end === undefined || end === -1) {
        this.#isThrough = true
        passed.push(rest)
        rest = rest.subarray(rest.length)
        break
      }
      const next = end + headEnd.length
      if (continueStart.test(start)) this.#options.onContinue()
      else passed.push(rest.subarray(0, next))
      rest = rest.subarray(next)
    }
    this.#held = rest
    return passed.length === 1 ? (passed[0] ?? rest) : Buffer.concat(passed)
  }
}

/** Whether an interim head may begin so. */
function isPrefix(start: string): boolean {
  const isCompleted = (minor: string): boolean =>
    interimStart.test(start + `HTTP/1.${minor} 100 `.slice(start.length))
  return isCompleted('1') || isCompleted('0')
}

/**
 * Lets whoever reads the stream piece by piece (`read`, never 'data') read it through the filter, until that is through;
 * what is returned gives the stream back before.
 */
export function readThrough(stream: Readable, filter: ContinueFilter): () => void {
  const read = stream.read.bind(stream)
  const giveBack = (): void => void Reflect.deleteProperty(stream, 'read')
  stream.read = (size?: number): unknown => {
    for (;;) {
      const chunk: unknown = read(size)
      if (!Buffer.isBuffer(chunk)) return chunk
      const rest = filter.take(chunk)
      if (filter.isThrough) giveBack()
      if (rest.length > 0) return rest
    }
  }
  return giveBack
}
