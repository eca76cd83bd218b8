import { dirname, resolve } from 'node:path'
import { deepFreeze } from './documents/freeze.ts'
import { type Problem, sortProblems } from './documents/problem.ts'
import type { Perimeter } from './perimeter/perimeter.ts'
import { quote } from './perimeter/quote.ts'
import { loadSettings } from './settings/load-settings.ts'
import type { Settings } from './settings/settings.ts'
import { findFiles } from './store/find-files.ts'
import { loadPerimeterFile } from './store/load-perimeters.ts'

export interface LoadOptions {
  /** Name of this instance where settings give none: the machine's host name. */
  readonly instance: string
  /** Also warn where Azure's limits are exceeded. */
  readonly azureLimits?: boolean
}

export type Configuration =
  | {
      readonly kind: 'loaded'
      readonly settings: Settings
      readonly perimeters: readonly Perimeter[]
      readonly warnings: readonly Problem[]
      readonly watchedFiles: readonly string[]
    }
  | {
      readonly kind: 'broken'
      /** Errors and warnings, at least one error. */
      readonly problems: readonly Problem[]
      /** Every file and every directory of a pattern that was looked at; absolute. A change there may repair it. */
      readonly watchedFiles: readonly string[]
    }

/**
 * Loads settings and the perimeters that they name, and checks both. What comes back is deep-frozen. Never rejects:
 * whatever lies on disk, it is loaded or its problems are told, all in one run.
 */
export async function loadConfiguration(
  file: string,
  options: LoadOptions,
): Promise<Configuration> {
  const settingsFile = resolve(file)
  const { settings, findings, files } = await loadSettings(settingsFile, options)
  const watched = new Set([settingsFile, ...files])
  if (settings === undefined) {
    return { kind: 'broken', problems: sortProblems(findings.problems), watchedFiles: [...watched] }
  }

  const perimeterFiles = new Set<string>()
  for (const [index, pattern] of settings.policy.files.entries()) {
    const found = await findFiles(pattern, dirname(settingsFile))
    for (const path of [...found.files, ...found.directories]) watched.add(path)
    for (const path of found.files) perimeterFiles.add(path)
    if (found.files.length === 0) {
      findings.error(
        ['policy', 'files', index],
        `the pattern ${quote(pattern)} matches no file; name at least one perimeter file`,
      )
    }
  }

  const problems = [...findings.problems]
  const perimeters: Perimeter[] = []
  for (const path of perimeterFiles) {
    const loaded = await loadPerimeterFile(path, {
      scope: settings.scope,
      resources: settings.resources.map(({ id }) => id),
    })
    perimeters.push(...loaded.perimeters.map(({ perimeter }) => perimeter))
    problems.push(...loaded.findings.problems)
  }

  const sorted = sortProblems(problems)
  if (sorted.some(({ severity }) => severity === 'error')) {
    return { kind: 'broken', problems: sorted, watchedFiles: [...watched] }
  }
  return {
    kind: 'loaded',
    settings: deepFreeze(settings),
    perimeters: deepFreeze(perimeters),
    warnings: sorted,
    watchedFiles: [...watched],
  }
}
