import { availableParallelism } from 'node:os'
import type { Findings } from '../documents/findings.ts'
import type { SettingsValue } from './schema.ts'

/** How many threads serve. Each gets its share of `limits.connections`, so there are no more than that. */
export function readWorkers(
  {
    workers,
    limits,
  }: Pick<SettingsValue, 'workers'> & {
    readonly limits: Pick<SettingsValue['limits'], 'connections'>
  },
  findings: Findings,
): number {
  const { connections } = limits
  if (workers === 'auto') return Math.min(availableParallelism(), connections)
  if (workers > connections) {
    findings.error(
      ['workers'],
      `${workers} workers cannot share \`limits.connections\`, which is ${connections}`,
    )
  }
  return workers
}
