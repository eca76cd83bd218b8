import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Clients as they are installed, run as somebody would run them. */

export interface ToolResult {
  readonly code: number
  readonly output: string
  readonly errors: string
}

/** Nothing of the machine's own proxy settings and configuration reaches the tool. */
export async function runTool(
  t: Test,
  command: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Promise<ToolResult> {
  const home = temporaryFolder(t)
  const [file = '', ...parameters] = command
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    ...options.env,
  }
  return new Promise((resolve) => {
    const cwd = options.cwd ?? home
    const child = execFile(
      file,
      parameters,
      { env, cwd, timeout: 60_000 },
      (error, output, errors) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, output, errors })
      },
    )
    child.stdin?.end()
  })
}

export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-tool-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Whether the tool is on this machine and starts; says so where it is not. */
export function isInstalled(t: Test, command: readonly string[]): boolean {
  const [file = '', ...parameters] = command
  try {
    execFileSync(file, parameters, { stdio: 'ignore', timeout: 30_000 })
    return true
  } catch {
    t.comment(`not tested: \`${command.join(' ')}\` does not run on this machine`)
    return false
  }
}
