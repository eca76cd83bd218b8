import { once } from 'node:events'
import type { Writable } from 'node:stream'

/**
 * Writes text, line feeds included. Whoever writes much awaits what it returns: the reader has room again then. Throws
 * `OutputLost` where nobody would get it.
 */
export type Write = (text: string) => unknown

/** What a command says cannot be said any more. */
export class OutputLost extends Error {
  /** The reader went away (`ringfence decide | head`), which is no fault; else the text could not be kept. */
  readonly isReaderGone: boolean

  constructor(cause: NodeJS.ErrnoException) {
    super(`the output cannot be written: ${cause.code ?? cause.message}`, { cause })
    this.name = 'OutputLost'
    this.isReaderGone = cause.code === 'EPIPE'
  }
}

export interface Output {
  readonly write: Write
  /** Resolves once everything is written, or with what kept it from being. */
  settled(): Promise<OutputLost | undefined>
}

/** A stream that a command's result goes to: from the first failure on, every write throws. */
export function createOutput(stream: Writable): Output {
  let lost: OutputLost | undefined
  const failed = new Promise<OutputLost>((resolve) => {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      lost ??= new OutputLost(error)
      resolve(lost)
    })
  })
  return {
    write(text) {
      if (lost !== undefined) throw lost
      if (stream.write(text)) return undefined
      return Promise.race([once(stream, 'drain').catch(() => undefined), failed])
    },
    async settled() {
      if (lost !== undefined) return lost
      // Errors are told a turn after the write that met them, before its callback is of use to anybody.
      const written = new Promise<void>((resolve) => stream.write('', () => resolve()))
      return Promise.race([failed, written.then(() => new Promise(setImmediate)).then(() => lost)])
    },
  }
}

/** A stream for what goes along with it (standard error): where nobody reads, it goes nowhere. */
export function createWrite(stream: Writable): Write {
  let open = true
  stream.on('error', () => {
    open = false
  })
  return (text) => {
    if (open) stream.write(text)
  }
}
