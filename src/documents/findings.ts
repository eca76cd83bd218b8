import { createPathSet } from './path-set.ts'
import type { At, Locate, Path, Problem, Severity } from './problem.ts'

/** Collects what is found in one document. */
export interface Findings {
  /** At most `maxProblems`, and then one that tells how many there are beyond. */
  readonly problems: readonly Problem[]
  readonly hasErrors: boolean
  readonly locate: Locate
  error(path: Path, message: string, at?: At): void
  warning(path: Path, message: string, at?: At): void
  /** Whether an error was found at the path or below it. */
  foundWithin(path: Path): boolean
}

/** A list of a hundred thousand prefixes may have as many mistakes. To place them all would stall a process that reloads. */
export const maxProblems = 1000

export function createFindings(locate: Locate, initial: readonly Problem[] = []): Findings {
  const problems: Problem[] = [...initial]
  const errorPaths = createPathSet()
  let hasErrors = problems.some(({ severity }) => severity === 'error')
  let beyond = 0

  const add = (severity: Severity, path: Path, options: { message: string; at: At }) => {
    if (severity === 'error') hasErrors = true
    if (problems.length >= maxProblems) {
      beyond++
      return
    }
    problems.push({ severity, ...locate(path, options.at), message: options.message })
    if (severity === 'error') errorPaths.add(path)
  }

  return {
    locate,
    get problems() {
      const last = problems.at(-1)
      if (beyond === 0 || last === undefined) return problems
      const message = `there are ${beyond} more problems in this file that are not shown`
      // An error among the rest must not make the whole look good.
      const severity: Severity = hasErrors ? 'error' : 'warning'
      return [...problems, { ...last, severity, message }]
    },
    get hasErrors() {
      return hasErrors
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
