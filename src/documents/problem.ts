import { escapeUnsafe } from '../perimeter/quote.ts'

/** One thing that is wrong, or that a careful operator would want to know, and where. */
export interface Problem {
  readonly severity: Severity
  /** Absolute path. */
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number
  /** One lower-case sentence without a period; what the user wrote stands in backticks. */
  readonly message: string
}

export type Severity = 'error' | 'warning'

export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A path into a document, from its root: keys and indexes. */
export type Path = readonly (string | number)[]

/** Whether to point at a value or at the key that holds it. */
export type At = 'key' | 'value'

/** Finds a path in its file; where it is absent, the nearest that is there. */
export type Locate = (path: Path, at?: At) => Place

/** `file:line:column: severity: message`. */
export function formatProblem(problem: Problem): string {
  const { file, line, column, severity, message } = problem
  // A directory that is watched may hold files of any name.
  return `${escapeUnsafe(file)}:${line}:${column}: ${severity}: ${message}`
}

/** In reading order, file by file; at one place errors first. The order of equal ones is kept, repeated ones are dropped. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Set<string>()
  const distinct = problems.filter((problem) => {
    const text = formatProblem(problem)
    if (seen.has(text)) return false
    seen.add(text)
    return true
  })
  return distinct.sort(comparePlaces)
}

function comparePlaces(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1
  if (a.line !== b.line) return a.line - b.line
  if (a.column !== b.column) return a.column - b.column
  if (a.severity !== b.severity) return a.severity === 'error' ? -1 : 1
  return 0
}
