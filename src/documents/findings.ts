import { createPathSet } from './path-set.ts'
import type { At, Locate, Path, Problem, Severity } from './problem.ts'

/** Collects what is found in one document. */
export interface Findings {
  readonly problems: readonly Problem[]
  readonly hasErrors: boolean
  readonly locate: Locate
  error(path: Path, message: string, at?: At): void
  warning(path: Path, message: string, at?: At): void
  /** Whether an error was found at the path or below it. */
  foundWithin(path: Path): boolean
}

export function createFindings(locate: Locate, initial: readonly Problem[] = []): Findings {
  const problems: Problem[] = [...initial]
  const errorPaths = createPathSet()

  const add = (severity: Severity, path: Path, options: { message: string; at: At }) => {
    problems.push({ severity, ...locate(path, options.at), message: options.message })
    if (severity === 'error') errorPaths.add(path)
  }

  return {
    problems,
    locate,
    get hasErrors() {
      return problems.some((problem) => problem.severity === 'error')
    },
    error(path, message, at = 'value') {
      add('error', path, { message, at })
    },
    warning(path, message, at = 'value') {
      add('warning', path, { message, at })
    },
    foundWithin: (path) => errorPaths.hasWithin(path),
  }
}
