import { hostname } from 'node:os'
import { buildInForce } from '../compose/build-in-force.ts'
import { formatProblem } from '../documents/problem.ts'
import { loadConfiguration } from '../load-configuration.ts'
import type { PolicySnapshot } from '../policy/snapshot.ts'

/** Loads what a command decides by; undefined after its problems were told. */
export type LoadSnapshot = (
  config: string,
  tell: (text: string) => void,
) => Promise<PolicySnapshot | undefined>

/**
 * Loads and compiles the configuration exactly as `run` would put it in force. Errors go to `tell`, one a line; warnings
 * are `check`'s to show.
 */
export async function loadSnapshot(
  config: string,
  tell: (text: string) => void,
): Promise<PolicySnapshot | undefined> {
  const configuration = await loadConfiguration(config, { instance: hostname() })
  if (configuration.kind === 'broken') {
    for (const problem of configuration.problems) {
      if (problem.severity === 'error') tell(`${formatProblem(problem)}\n`)
    }
    return undefined
  }
  const { settings, perimeters } = configuration
  return buildInForce({
    settings,
    perimeters,
    ownListeners: () => [],
    backendAuthorities: new Map(),
  }).snapshot
}
