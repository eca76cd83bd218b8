import { hashSecret } from '../../identity/verify-secret.ts'
import { exitCodes } from '../exit-code.ts'
import { readLines } from '../read-lines.ts'

export interface HashSecretOptions {
  /** Standard input. */
  readonly input: AsyncIterable<Uint8Array | string>
  readonly out: (text: string) => unknown
  readonly err: (text: string) => unknown
}

const maxBytes = 512

/** A short one is found out, however it is hashed. */
const minBytes = 12

/**
 * `ringfence hash-secret`: prints what `callers[].basic.secretHash` takes, for the first line of standard input. It is no
 * argument: everybody on the machine may read those. Returns the exit code: 0 good, 2 wrong usage.
 */
export async function runHashSecret({ input, out, err }: HashSecretOptions): Promise<number> {
  for await (const line of readLines(input, maxBytes)) {
    const secret = line.kind === 'line' ? Buffer.from(line.text.replace(/\r$/, '')) : undefined
    if (secret === undefined || secret.length < minBytes) break
    out(`${await hashSecret(secret)}\n`)
    return exitCodes.good
  }
  err(`ringfence: write a secret of ${minBytes} to ${maxBytes} bytes to standard input\n`)
  return exitCodes.usage
}
