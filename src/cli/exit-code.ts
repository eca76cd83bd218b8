import { PerimeterError } from '../errors.ts'

/** What a command ends with. */
export const exitCodes = { good: 0, problems: 1, usage: 2 } as const

export interface Failure {
  readonly exitCode: number
  /** For standard error, without a stack. */
  readonly lines: readonly string[]
}

/** The one mapping from what was thrown to what the user sees. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof PerimeterError) {
    const exitCode = error.code === 'RF_USAGE' ? exitCodes.usage : exitCodes.problems
    return { exitCode, lines: error.message.split('\n') }
  }
  const message = error instanceof Error ? error.message : String(error)
  const [first = 'unknown'] = message.split('\n')
  return {
    exitCode: exitCodes.problems,
    lines: [`internal error, please report it: ${first} (RINGFENCE_DEBUG=1 shows where)`],
  }
}
