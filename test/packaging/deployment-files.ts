import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'

/** Reading the deployment examples, and running the program on what they hold. */

export const root = path.resolve(import.meta.dirname, '../..')

export type Members = Readonly<Record<string, unknown>>

/** All documents of a YAML file, which must not have a single error or warning. */
export function readYaml(file: string): Members[] {
  const documents = parseAllDocuments(readFileSync(path.join(root, file), 'utf8'))
  return documents.map((document) => {
    const problems = [...document.errors, ...document.warnings]
    if (problems.length > 0) throw new Error(`${file}: ${problems.join('\n')}`)
    return asMembers(document.toJS())
  })
}

/** Follows keys and indexes; undefined where the path leads nowhere. */
export function at(value: unknown, ...keys: readonly (string | number)[]): unknown {
  let found = value
  for (const key of keys) {
    found = Array.isArray(found) ? found[Number(key)] : asMembers(found)[key]
  }
  return found
}

export function listAt(value: unknown, ...keys: readonly (string | number)[]): unknown[] {
  const found = at(value, ...keys)
  return Array.isArray(found) ? found : []
}

export function asMembers(value: unknown): Members {
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {}
}

/** `ringfence check` as a process: its exit code and all it printed. */
export async function checkSettings(file: string): Promise<{ code: number; output: string }> {
  const args = [path.join(root, 'src/main.ts'), 'check', '--config', file]
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args)
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    const failure = asMembers(error)
    const texts = [failure['stdout'], failure['stderr']].map((text) => String(text))
    return { code: Number(failure['code']), output: texts.join('') }
  }
}
