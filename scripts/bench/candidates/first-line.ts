import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The first line that a program prints that matches; undefined if there is no such program. */
export async function firstLine(
  command: readonly [program: string, ...args: string[]],
  pattern: RegExp,
): Promise<string | undefined> {
  const [program, ...args] = command
  try {
    // Debian keeps these programs where the PATH of a plain user does not look.
    const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
    const { stdout, stderr } = await run(program, args, { env: { ...process.env, PATH: path } })
    return pattern.exec(stdout + stderr)?.[1]
  } catch {
    return undefined
  }
}
