import { hostname } from 'node:os'
import { examine } from '../../doctor/examine.ts'
import type { Finding } from '../../doctor/finding.ts'
import { formatProblem } from '../../documents/problem.ts'
import { loadConfiguration } from '../../load-configuration.ts'
import { describeInstance } from '../describe-instance.ts'
import { exitCodes } from '../exit-code.ts'

export interface DoctorOptions {
  /** Path of the settings file of the instance that runs. */
  readonly config: string
  readonly json: boolean
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

const verdicts = [
  'open',
  'learning',
  'untried',
  'held',
] as const satisfies readonly Finding['verdict'][]

const labels = { open: 'OPEN', learning: 'learning', untried: 'not tried', held: 'held' } as const

/**
 * `ringfence doctor`: tries the forbidden on a running instance. Returns the exit code: 0 everything that could be tried
 * is held, 1 something is open or nothing could be tried, 2 wrong usage.
 */
export async function runDoctor({ config, json, out, err }: DoctorOptions): Promise<number> {
  if (config === '') {
    err('name the settings file of the instance: `ringfence doctor --config FILE`\n')
    return exitCodes.usage
  }
  const configuration = await loadConfiguration(config, { instance: hostname() })
  if (configuration.kind === 'broken') {
    for (const problem of configuration.problems) err(`${formatProblem(problem)}\n`)
    return exitCodes.problems
  }
  const findings = await examine(describeInstance(configuration))
  const of = (verdict: Finding['verdict']): readonly Finding[] =>
    findings.filter((finding) => finding.verdict === verdict)
  if (json) {
    out(`${JSON.stringify(findings, undefined, 2)}\n`)
  } else {
    for (const verdict of verdicts) {
      for (const { door, probe, detail } of of(verdict)) {
        out(`${labels[verdict].padEnd(10)}${door}: ${probe}: ${detail}\n`)
      }
    }
    out(`${verdicts.map((verdict) => `${of(verdict).length} ${labels[verdict]}`).join(', ')}\n`)
    if (of('held').length === 0) err('nothing is held: does the instance run?\n')
  }
  return of('open').length === 0 && of('held').length > 0 ? exitCodes.good : exitCodes.problems
}
