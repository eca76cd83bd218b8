import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, statSync } from 'node:fs'
import { styleText } from 'node:util'
import { startTally, type FileTally } from './test-tally.ts'

/**
 * Runs the tests, one line for each file, every failure in full, and ends with `N passed, N failed` alone on a line.
 * Arguments go to tap: `npm test -- test/wire`, `npm test -- --jobs=1`. Exits 1 if anything failed or nothing ran.
 */

/** What tap reports of a failure and nobody needs: how it ran the file, and the place, which the stack has too. */
const hiddenDetails = new Set(
  'args at command compare cwd externalID isTopLevel jobId killed source stdio tapCaught test'.split(
    ' ',
  ),
)

async function runTests(args: readonly string[]): Promise<number> {
  const { input, events } = startTally()
  let passed = 0
  let failed = 0
  events.on('file', (tally) => {
    passed += tally.passed
    failed += tally.failures.length
    printFile(tally)
  })
  const tap = spawn('tap', ['--reporter=tap', '--no-color', ...args.flatMap(expand)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  tap.stdout.pipe(input)
  const [code] = await once(tap, 'close')
  if (code !== 0 && failed === 0) {
    print(`✗ the test runner ended with ${String(code ?? 'a signal')} although no test failed`)
    failed += 1
  }
  if (passed + failed === 0) {
    print('✗ no test ran')
    failed += 1
  }
  print(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

/** A folder stands for the tests in it; tap would run every file there. */
function expand(arg: string): string[] {
  const isFolder = statSync(arg, { throwIfNoEntry: false })?.isDirectory() === true
  return isFolder ? globSync(`${arg}/**/*.test.ts`).toSorted() : [arg]
}

function printFile({ file, passed, durationMs, failures }: FileTally): void {
  const good = failures.length === 0
  const mark = good ? color('green', '✓') : color('red', '✗')
  const time = durationMs === undefined ? '' : `, ${(durationMs / 1000).toFixed(1)} s`
  const counts = good ? `${passed}` : `${passed} passed, ${failures.length} failed`
  print(`${mark} ${file} (${counts}${time})`)
  for (const failure of failures) {
    print(`    ${color('red', failure.path.slice(1).join(' › '))}`)
    for (const [key, value] of Object.entries(failure.details ?? {})) {
      if (hiddenDetails.has(key) || value === null) continue
      print(indent(`${key}: ${formatDetail(value)}`))
    }
  }
}

function formatDetail(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  const text = value.trimEnd()
  return text.includes('\n') ? `\n${text}` : text
}

function indent(text: string): string {
  return text.replace(/^/gm, '      ')
}

function color(name: 'green' | 'red', text: string): string {
  return process.stdout.isTTY ? styleText(name, text) : text
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await runTests(process.argv.slice(2))
