import type { At, Locate, Path, Problem, Severity } from './problem.ts'

/** Collects what is found in one document. */
export interface Findings {
  readonly problems: readonly Problem[]
  readonly hasErrors: boolean
  readonly locate: Locate
  error(path: Path, message: string, at?: At): void
  warning(path: Path, message: string, at?: At): void
  /** Whether something was found at the path or below it. */
  foundWithin(path: Path): boolean
}

export function createFindings(locate: Locate, initial: readonly Problem[] = []): Findings {
  const problems: Problem[] = [...initial]
  const errorPaths: Path[] = []

  const add = (severity: Severity, path: Path, options: { message: string; at: At }) => {
    problems.push({ severity, ...locate(path, options.at), message: options.message })
    if (severity === 'error') errorPaths.push(path)
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
    foundWithin(path) {
      return errorPaths.some((found) =>
        path.every((part, index) => String(found[index]) === String(part)),
      )
    },
  }
}
