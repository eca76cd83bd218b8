import { hostname } from 'node:os'
import { relative } from 'node:path'
import { formatProblem, type Problem } from '../../documents/problem.ts'
import { exitCodes } from '../exit-code.ts'
import { type Configuration, loadConfiguration } from '../../load-configuration.ts'

export interface CheckOptions {
  /** Path of the settings file. */
  readonly config: string
  readonly json: boolean
  /** Also warn where Azure's limits are exceeded. */
  readonly azure: boolean
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/**
 * `ringfence check`: validates settings and perimeters without listening and prints every problem. Returns the exit
 * code: 0 good (warnings alone are good), 1 problems, 2 wrong usage.
 */
export async function runCheck(options: CheckOptions): Promise<number> {
  if (options.config === '') {
    options.err('name a settings file: `ringfence check --config FILE`\n')
    return exitCodes.usage
  }
  const configuration = await loadConfiguration(options.config, {
    instance: hostname(),
    azureLimits: options.azure,
  })
  const found = configuration.kind === 'loaded' ? configuration.warnings : configuration.problems
  const problems = found.map((problem) => ({ ...problem, file: shortPath(problem.file) }))
  if (options.json) {
    options.out(`${JSON.stringify(problems, undefined, 2)}\n`)
  } else {
    for (const problem of problems) options.out(`${formatProblem(problem)}\n`)
    options.out(`${options.config}: ${summarize(configuration, problems)}\n`)
  }
  return configuration.kind === 'loaded' ? exitCodes.good : exitCodes.problems
}

function summarize(configuration: Configuration, problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length
  const warnings = count(problems.length - errors, 'warning')
  if (configuration.kind === 'broken') return `${count(errors, 'error')}, ${warnings}`
  const { settings, perimeters } = configuration
  const parts = [
    count(perimeters.length, 'perimeter'),
    count(settings.resources.length, 'resource'),
    count(settings.inbound.length, 'inbound listener'),
    count(settings.outbound.length, 'outbound listener'),
  ]
  return `good: ${parts.join(', ')}; ${warnings}`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

/** Relative to the working directory where that is shorter. */
function shortPath(file: string): string {
  const short = relative(process.cwd(), file)
  return short !== '' && short.length < file.length ? short : file
}
