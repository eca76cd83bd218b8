import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const program = new URL('../../../scripts/soak/main.ts', import.meta.url).pathname

/** Exit code and what it printed. */
async function soak(args: string): Promise<{ readonly code: unknown; readonly stdout: string }> {
  const env = { PATH: process.env['PATH'] }
  try {
    const { stdout } = await run(process.execPath, [program, ...args.split(' ')], { env })
    return { code: 0, stdout }
  } catch (error) {
    const { code, stdout } = Object(error) as { readonly code: unknown; readonly stdout: string }
    return { code, stdout }
  }
}

void t.test('a soak finds leaks that are planted, in every thread', async (t) => {
  const { code, stdout } = await soak('--minutes 0.1 --workers 2 --plant memory --plant timers')
  t.equal(code, 1, stdout)
  t.match(stdout, /FINDING \(1 ×\) timers: \d+ at rest, \d+ after the load/)
  t.match(stdout, /FINDING \(1 ×\) memory: [\d.]+ MiB at rest, [\d.]+ MiB after \d+ exchanges/)
})
