import { dirname, resolve } from 'node:path'
import { formatProblem } from '../documents/problem.ts'
import { PerimeterError } from '../errors.ts'
import { loadConfiguration } from '../load-configuration.ts'
import type { Arena } from '../policy/arena.ts'
import type { OwnListener } from '../policy/address-guard.ts'
import type { InForce } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import { findFiles } from '../store/find-files.ts'
import { type CompiledInForce, compileInForce, openInForce } from './build-in-force.ts'
import { readBackendAuthorities } from './read-backend-authorities.ts'
import {
  type ListenerPems,
  readSecureContexts,
  secureContextFiles,
} from './read-secure-contexts.ts'
import { mergeSettings } from './restart.ts'

export interface LoadRequest {
  readonly configFile: string
  /** Of this instance where settings name none. */
  readonly instance: string
  /** What the last load gave as `running`; undefined at the start. */
  readonly running: Settings | undefined
  readonly ownListeners: () => readonly OwnListener[]
  /** Where the tables of the policy go. May reject: then nothing is loaded. */
  readonly arenaFor: (settings: Settings) => Promise<Arena>
}

/** Everything that a start or a reload needs, complete and checked, before anything of it counts. */
export type Loaded =
  | {
      readonly kind: 'loaded'
      readonly compiled: CompiledInForce
      readonly inForce: InForce
      readonly running: Settings
      readonly pems: ListenerPems
      readonly needsRestart: readonly string[]
      readonly warnings: readonly string[]
      /** Files and patterns whose change calls for a reload. */
      readonly watchPaths: readonly string[]
    }
  | {
      readonly kind: 'failed'
      /** One line each. */
      readonly problems: readonly string[]
      readonly watchPaths: readonly string[]
    }

/** Loads, validates, compiles and freezes. Never rejects. */
export async function loadInForce(request: LoadRequest): Promise<Loaded> {
  const configuration = await loadConfiguration(request.configFile, { instance: request.instance })
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
    const pems = await readSecureContexts(settings)
    const backendAuthorities = await readBackendAuthorities(settings)
    const arena = await request.arenaFor(settings)
    const compiled = compileInForce({ settings, perimeters, backendAuthorities }, arena)
    arena.finish?.()
    const inForce = openInForce(compiled, request.ownListeners)
    const warnings = configuration.warnings.map(formatProblem)
    return { kind: 'loaded', compiled, inForce, running, pems, needsRestart, warnings, watchPaths }
  } catch (error) {
    return { kind: 'failed', problems: describe(error), watchPaths }
  }
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

function describe(error: unknown): readonly string[] {
  if (error instanceof PerimeterError) return error.message.split('\n')
  const message = error instanceof Error ? error.message : String(error)
  return [`internal error while compiling, please report it: ${message}`]
}
