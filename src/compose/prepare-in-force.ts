import { dirname, resolve } from 'node:path'
import { formatProblem } from '../documents/problem.ts'
import { PerimeterError } from '../errors.ts'
import { findConfiguration } from '../load-configuration.ts'
import type { Arena } from '../policy/arena.ts'
import type { CompiledPolicy } from '../policy/compiled-policy.ts'
import type { Settings } from '../settings/settings.ts'
import { findFiles } from '../store/find-files.ts'
import { totalBytes } from '../store/total-bytes.ts'
import { compileInForce } from './build-in-force.ts'
import { secureContextFiles } from './read-secure-contexts.ts'
import { mergeSettings } from './restart.ts'

/** What a load begins with: plain data, as it goes to another thread. */
export interface PrepareRequest {
  readonly configFile: string
  /** Of this instance where settings name none. */
  readonly instance: string
  /** What the last load gave as `running`; undefined at the start. */
  readonly running: Settings | undefined
}

/** Plain data, as it comes from another thread; small, however many rules there are. */
export type Prepared =
  | {
      readonly kind: 'prepared'
      /** To be put in force. */
      readonly settings: Settings
      readonly running: Settings
      readonly policy: CompiledPolicy
      readonly needsRestart: readonly string[]
      readonly warnings: readonly string[]
      /** Files and patterns whose change calls for a reload. */
      readonly watchPaths: readonly string[]
    }
  | PreparationFailed

export interface PreparationFailed {
  readonly kind: 'failed'
  /** One line each. */
  readonly problems: readonly string[]
  readonly watchPaths: readonly string[]
}

/** There is more to read than was allowed. */
export interface TooLarge {
  readonly kind: 'too-large'
  readonly watchPaths: readonly string[]
}

/**
 * Reads, validates and compiles: all of a load that takes as long as there are rules. Never rejects. Where perimeter
 * files have more than `mostBytes` together, nothing of them is read.
 */
export async function prepareInForce(
  request: PrepareRequest,
  given: { readonly arena: Arena; readonly mostBytes: number },
): Promise<Prepared | TooLarge> {
  const found = await findConfiguration(request.configFile, { instance: request.instance })
  if ((await totalBytes(found.largeFiles)) > given.mostBytes) {
    return { kind: 'too-large', watchPaths: found.watchedFiles }
  }
  const configuration = await found.load()
  if (configuration.kind === 'broken') {
    return {
      kind: 'failed',
      problems: configuration.problems.map(formatProblem),
      watchPaths: configuration.watchedFiles,
    }
  }
  const { perimeters } = configuration
  const { settings, running, needsRestart } = mergeSettings(
    request.running ?? configuration.settings,
    configuration.settings,
  )
  const watchPaths = await pathsOf(settings, configuration.watchedFiles)
  try {
    const policy = compileInForce({ settings, perimeters }, given.arena)
    const warnings = configuration.warnings.map(formatProblem)
    return { kind: 'prepared', settings, running, policy, needsRestart, warnings, watchPaths }
  } catch (error) {
    return { kind: 'failed', problems: describeLoadError(error), watchPaths }
  }
}

/** One line each. */
export function describeLoadError(error: unknown): readonly string[] {
  if (error instanceof PerimeterError) return error.message.split('\n')
  const message = error instanceof Error ? error.message : String(error)
  return [`internal error while compiling, please report it: ${message}`]
}

/**
 * The loader names directories because a new file may appear in them. The patterns say more exactly which files: with
 * them an unrelated file in the same directory is no reason to reload.
 */
async function pathsOf(
  settings: Settings,
  watchedFiles: readonly string[],
): Promise<readonly string[]> {
  const base = dirname(settings.file)
  const patterns = settings.policy.files.map((pattern) => resolve(base, pattern))
  const found = await Promise.all(patterns.map((pattern) => findFiles(pattern, base)))
  const directories = new Set(found.flatMap((one) => one.directories))
  const files = watchedFiles.filter((path) => !directories.has(path))
  return [...new Set([...files, ...patterns, ...secureContextFiles(settings)])]
}
