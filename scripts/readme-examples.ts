import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** The README's examples: files in `yaml` blocks, named by their first line, and commands in `console` blocks. */

const program = path.resolve(import.meta.dirname, '../src/main.ts')
const block = /^```(\w+)\n([\s\S]*?)^```$/gm
const command = /^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm

/** The texts of all blocks of a language, in order. */
export function blocksOf(readme: string, language: string): string[] {
  return [...readme.matchAll(block)]
    .filter(([, name]) => name === language)
    .map(([, , text = '']) => text)
}

/** Writes the example files into a folder. */
export function writeExamples(readme: string, folder: string): void {
  for (const text of blocksOf(readme, 'yaml')) {
    const [, name = '', body = ''] = /^# (\S+)\n([\s\S]*)$/.exec(text) ?? []
    const file = path.join(folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, body)
  }
}

/** The README with the output of each `$ command` as it is now, run where the example files are. */
export function fillConsoles(readme: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'readme-'))
  try {
    writeExamples(readme, folder)
    return readme.replace(block, (whole, language: string) =>
      language === 'console'
        ? whole.replace(command, (_, line: string) => `$ ${line}\n${runCommand(line, folder)}`)
        : whole,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A shell in which `ringfence` is the program. What fails shows its errors instead of output. */
function runCommand(line: string, folder: string): string {
  const script = `exec 2>&1\nringfence() { "${process.execPath}" "${program}" "$@"; }\n${line}\ntrue`
  return execFileSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' })
}
