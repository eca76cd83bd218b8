import { EventEmitter } from 'node:events'
import { Parser, type Result } from 'tap-parser'

/**
 * Counts tests in a TAP stream. A test is a named subtest that has no subtests of its own; assertions outside of one,
 * an exit code, a signal and a file without tests count where they fail. What is skipped or to do is not passed.
 */

export interface Failure {
  /** File and sentences down to the assertion. */
  readonly path: readonly string[]
  /** What the assertion reports: difference, place, stack. Undefined where the runner knows no more than the name. */
  readonly details: Readonly<Record<string, unknown>> | undefined
}

export interface FileTally {
  readonly file: string
  readonly passed: number
  readonly durationMs: number | undefined
  readonly failures: readonly Failure[]
}

interface TallyEvents {
  /** Once for each test file, as it ends. */
  file: [tally: FileTally]
}

export interface Tally {
  /** Takes the bytes of the stream. */
  readonly input: Parser
  readonly events: EventEmitter<TallyEvents>
}

/** Starts a tally; `input` is to be written to and ended. */
export function startTally(): Tally {
  const events = new EventEmitter<TallyEvents>()
  const input = new Parser()
  input.on('child', (file: Parser) => {
    const count = watch(file, [file.name])
    file.on('complete', () => {
      // The line that closes the file comes after its last: it holds the exit code.
      input.once('assert', (closing: Result) => {
        events.emit('file', closeFile({ file: file.name, closing, count }))
      })
    })
  })
  input.on('assert', (result: Result) => {
    // The runner's own: it gave up on a file, and on all that were still to come.
    if (result.closingTestPoint || result.ok) return
    const failures = [{ path: ['the runner', describe(result)], details: detailsOf(result) }]
    events.emit('file', { file: 'the runner', passed: 0, durationMs: undefined, failures })
  })
  return { input, events }
}

interface Count {
  passed: number
  readonly failures: Failure[]
}

function closeFile(end: { file: string; closing: Result; count: Count }): FileTally {
  const { file, closing, count } = end
  const failures = [...count.failures]
  const silent = failures.length === 0
  if (silent && (!closing.ok || closing.skip !== false || closing.todo !== false)) {
    failures.push({ path: [file, describe(closing)], details: detailsOf(closing) })
  } else if (silent && count.passed === 0) {
    failures.push({ path: [file, 'holds no test'], details: undefined })
  }
  return { file, passed: count.passed, durationMs: closing.time ?? undefined, failures }
}

function watch(parser: Parser, trail: readonly string[]): Count {
  const count: Count = { passed: 0, failures: [] }
  const own = { assertions: 0, failures: 0, children: 0 }
  parser.on('child', (child: Parser) => {
    own.children += 1
    const inner = watch(child, [...trail, child.name])
    child.on('complete', () => {
      count.passed += inner.passed
      count.failures.push(...inner.failures)
    })
  })
  parser.on('assert', (result: Result) => {
    const bad = !result.ok || result.skip !== false || result.todo !== false
    if (result.closingTestPoint && (!bad || count.failures.length > 0)) return
    own.assertions += 1
    if (!bad) return
    own.failures += 1
    count.failures.push({ path: [...trail, describe(result)], details: detailsOf(result) })
  })
  parser.on('complete', (results: { readonly ok: boolean }) => {
    if (!results.ok && count.failures.length === 0) {
      count.failures.push({ path: [...trail, 'broke its plan'], details: undefined })
      own.failures += 1
    }
    const isFile = trail.length === 1
    if (own.children === 0 && own.failures === 0 && (own.assertions > 0 || !isFile)) {
      count.passed += 1
    }
  })
  return count
}

function describe(result: Result): string {
  if (result.skip !== false) return `${result.name} (skipped)`
  if (result.todo !== false) return `${result.name} (to do)`
  return result.name
}

function detailsOf(result: Result): Readonly<Record<string, unknown>> | undefined {
  const details: unknown = result.diag
  if (typeof details !== 'object' || details === null) return undefined
  return Object.fromEntries(Object.entries(details))
}
