import { dirname, relative, resolve } from 'node:path'
import type { Findings } from './documents/findings.ts'
import { deepFreeze } from './documents/freeze.ts'
import type { Placed } from './documents/placed.ts'
import { type Path, type Problem, sortProblems } from './documents/problem.ts'
import type { Perimeter } from './perimeter/perimeter.ts'
import { quote } from './perimeter/quote.ts'
import type { PublicNetworkAccess, Resource } from './perimeter/resource.ts'
import { loadSettings } from './settings/load-settings.ts'
import type { Settings } from './settings/settings.ts'
import { warnOfAzureLimits } from './store/check-azure-limits.ts'
import { checkPerimeters } from './store/check-perimeters.ts'
import { findFiles, type FoundFiles } from './store/find-files.ts'
import { loadPerimeterFile } from './store/load-perimeters.ts'
import type { KnownResources, NamedServiceTags } from './store/perimeter-context.ts'
import type { LoadedPerimeter } from './store/read-perimeter.ts'
import { loadServiceTags } from './store/service-tags.ts'

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

/** Settings that were read, and the perimeter files that they name and that were not. */
export interface FoundConfiguration {
  /** Perimeters and service tags. Absolute; empty where settings are broken. */
  readonly largeFiles: readonly string[]
  /** As in `Configuration`. */
  readonly watchedFiles: readonly string[]
  /** Reads the perimeter files and checks everything. Call it once. Never rejects. */
  load(): Promise<Configuration>
}

/**
 * Loads settings and the perimeters that they name, and checks both. What comes back is deep-frozen. Never rejects:
 * whatever lies on disk, it is loaded or its problems are told, all in one run.
 */
export async function loadConfiguration(
  file: string,
  options: LoadOptions,
): Promise<Configuration> {
  const found = await findConfiguration(file, options)
  return found.load()
}

/** The first half of `loadConfiguration`: small, whatever the perimeters hold. Never rejects. */
export async function findConfiguration(
  file: string,
  options: LoadOptions,
): Promise<FoundConfiguration> {
  const settingsFile = resolve(file)
  const { settings, resources, findings, files } = await loadSettings(settingsFile, options)
  const watched = new Set([settingsFile, ...files])
  if (settings === undefined) {
    const watchedFiles = [...watched]
    const problems = sortProblems(findings.problems)
    const broken: Configuration = { kind: 'broken', problems, watchedFiles }
    return { largeFiles: [], watchedFiles, load: () => Promise.resolve(broken) }
  }
  const found = await findPerimeterFiles(settings, findings)
  const { serviceTagsFile } = settings.policy
  const largeFiles = [...found.files, ...(serviceTagsFile === undefined ? [] : [serviceTagsFile])]
  for (const path of [...largeFiles, ...found.directories]) watched.add(path)
  const parts = { settings, resources, findings, perimeterFiles: found.files }
  const watchedFiles = [...watched]
  return {
    largeFiles,
    watchedFiles,
    load: () => loadPerimeters(parts, { azureLimits: options.azureLimits === true, watchedFiles }),
  }
}

async function loadPerimeters(
  parts: {
    readonly settings: Settings
    readonly resources: readonly Placed<Resource>[]
    readonly findings: Findings
    readonly perimeterFiles: readonly string[]
  },
  context: { readonly azureLimits: boolean; readonly watchedFiles: readonly string[] },
): Promise<Configuration> {
  const { settings, resources, findings, perimeterFiles } = parts
  const { azureLimits, watchedFiles } = context
  // A resource or scope that could not be read is no reason to call a name unknown.
  const known: KnownResources = {
    ids: settings.resources.map(({ id }) => id),
    areAll: !findings.foundWithin(['resources']) && !findings.foundWithin(['scope']),
  }
  const loaded: LoadedPerimeter[] = []
  const others: Findings[] = []
  const { serviceTagsFile } = settings.policy
  const tagged = serviceTagsFile === undefined ? undefined : await loadServiceTags(serviceTagsFile)
  if (tagged !== undefined) others.push(tagged.findings)
  const serviceTags: NamedServiceTags = tagged === undefined ? 'no-file' : (tagged.tags ?? 'broken')
  const given = { scope: settings.scope, resources: known, serviceTags }
  for (const path of perimeterFiles) {
    const file = await loadPerimeterFile(path, given)
    loaded.push(...file.perimeters)
    others.push(file.findings)
  }
  checkPerimeters(loaded, { resources: known, autoApprove: settings.links.autoApprove })
  if (azureLimits) warnOfAzureLimits(loaded)
  // Of what could not be read, the members are not known.
  const isComplete = known.areAll && perimeterFiles.length > 0
  if (isComplete && !others.some(({ hasErrors }) => hasErrors)) {
    warnOfUnassociated(resources, { loaded, findings })
  }

  warnOfAutoApproved(settings, { loaded, findings })
  const problems = sortProblems([findings, ...others].flatMap((one) => one.problems))
  if (problems.some(({ severity }) => severity === 'error')) {
    return { kind: 'broken', problems, watchedFiles }
  }
  return {
    kind: 'loaded',
    settings: deepFreeze(settings),
    perimeters: deepFreeze(loaded.map(({ perimeter }) => perimeter)),
    warnings: problems,
    watchedFiles,
  }
}

const twoStars = '`**` matches within one name, like `*`: name each level of directories'

async function findPerimeterFiles(settings: Settings, findings: Findings): Promise<FoundFiles> {
  const files = new Set<string>()
  const directories = new Set<string>()
  for (const [index, pattern] of settings.policy.files.entries()) {
    const directory = dirname(settings.file)
    const written = quote(relative(directory, pattern))
    const hasTwoStars = pattern.includes('**')
    const found = await findFiles(pattern, directory)
    for (const path of found.files) files.add(path)
    for (const path of found.directories) directories.add(path)
    const at: Path = ['policy', 'files', index]
    if (found.files.length === 0) {
      findings.error(
        at,
        `the pattern ${written} matches no file; name at least one perimeter file${hasTwoStars ? `; ${twoStars}` : ''}`,
      )
    } else if (hasTwoStars) findings.warning(at, `in the pattern ${written}, ${twoStars}`)
    if (found.files.includes(settings.file)) {
      findings.error(
        at,
        `the pattern ${written} matches the settings file; keep perimeters in a directory of their own`,
      )
      files.delete(settings.file)
    }
  }
  return { files: [...files], directories: [...directories] }
}

/** A link counts by auto-approval only where the perimeter that declares it is known here. */
function warnOfAutoApproved(
  settings: Settings,
  context: { readonly loaded: readonly LoadedPerimeter[]; readonly findings: Findings },
): void {
  const { loaded, findings } = context
  if (findings.foundWithin(['links'])) return
  for (const [index, { key, name }] of settings.links.autoApprove.entries()) {
    const owner = loaded.find(({ perimeter }) => perimeter.id.key === key)
    const path: Path = ['links', 'autoApprove', index]
    if (owner === undefined) {
      findings.warning(
        path,
        `the perimeter ${quote(name)} is not among the files: none of its links is known`,
      )
    } else if (owner.links.length === 0) {
      findings.warning(path, `the perimeter ${quote(name)} has no link that this could approve`)
    }
  }
}

function warnOfUnassociated(
  resources: readonly Placed<Resource>[],
  context: { readonly loaded: readonly LoadedPerimeter[]; readonly findings: Findings },
): void {
  const { loaded, findings } = context
  const associated = new Set(
    loaded.flatMap(({ perimeter }) =>
      perimeter.associations.map(({ resourceId }) => resourceId.key),
    ),
  )
  for (const { value, path } of resources) {
    if (associated.has(value.id.key)) continue
    const consequence = unassociatedConsequences[value.publicNetworkAccess ?? 'SecuredByPerimeter']
    findings.warning(
      [...path, 'id'],
      `no perimeter associates the resource ${quote(value.id.name)}: ${consequence}`,
    )
  }
}

/** What holds for a resource outside every perimeter (NSP docs, access-mode table, left column). */
const unassociatedConsequences = {
  Enabled: 'its own rules decide what comes in, and everything may go out',
  Disabled: 'nothing comes in, and everything may go out',
  SecuredByPerimeter: 'it is locked down, nothing comes in or goes out',
} as const satisfies Record<PublicNetworkAccess, string>
