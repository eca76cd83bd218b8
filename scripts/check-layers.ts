import { globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import { emptyNames, layers, maxLines, packageHomes, type Layer } from './layers.ts'

/** Holds the tree against the rank table. Says every problem, exits 1 if there is one. */

/** A file by its path from the repository's root, with forward slashes. */
export type Sources = ReadonlyMap<string, string>

interface Import {
  readonly specifier: string
  /** Path from the root for a relative import, else undefined. */
  readonly target: string | undefined
}

const importPatterns = [
  /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
  /^\s*import\s*['"]([^'"]+)['"]/gm,
  /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g,
] as const

/** All that is wrong with the tree, as `path: sentence`, in order of path. */
export function findProblems(sources: Sources): string[] {
  const problems: string[] = []
  for (const [file, source] of sources) {
    problems.push(...problemsOfName(file), ...problemsOfText(file, source))
    if (file.startsWith('src/')) problems.push(...problemsOfImports(file, source, sources))
  }
  problems.push(...findCycles(sources))
  return problems.toSorted()
}

function problemsOfName(file: string): string[] {
  const stem = path.posix.basename(file).replace(/(\.(test|property|bench))*\.ts$/, '')
  if (emptyNames.has(stem)) return [`${file}: \`${stem}\` says nothing about what is inside`]
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem)) return [`${file}: a file name is kebab-case`]
  return []
}

function problemsOfText(file: string, source: string): string[] {
  const problems: string[] = []
  const top = file.slice(0, file.indexOf('/'))
  const limit = top === 'src' || top === 'scripts' ? maxLines[top] : maxLines.test
  const lines = source.split('\n').length - 1
  if (lines > limit) problems.push(`${file}: ${lines} lines, ${limit} are allowed: split it`)
  const code = withoutComments(source)
  if (/^\s*export\s+default\b/m.test(code)) {
    problems.push(`${file}: a default export: export the name`)
  }
  if (/^\s*export\s+(type\s+)?(\*|\{[^}]*\})[^'"`;]*\bfrom\b/m.test(code)) {
    problems.push(`${file}: a re-export: import from the file that owns the name`)
  }
  return problems
}

function problemsOfImports(file: string, source: string, sources: Sources): string[] {
  const own = layerOf(file)
  if (own === undefined) return [`${file}: has no rank: add it to scripts/layers.ts`]
  const problems: string[] = []
  for (const { specifier, target } of importsOf(file, source)) {
    const problem =
      target === undefined
        ? problemOfPackage(file, specifier)
        : problemOfTarget({ file, own, target, sources })
    if (problem !== undefined) problems.push(`${file}: ${problem}`)
  }
  return problems
}

function problemOfPackage(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return undefined
  if (isBuiltin(specifier)) return `\`${specifier}\` is written \`node:${specifier}\``
  const name = packageNameOf(specifier)
  const homes = packageHomes[name]
  if (homes === undefined) return `\`${name}\` has no home: add it to scripts/layers.ts`
  const inside = file.slice('src/'.length)
  const atHome = homes.some((home) =>
    home.endsWith('.ts') ? inside === home : inside.startsWith(`${home}/`),
  )
  return atHome ? undefined : `\`${name}\` may only be imported in ${homes.join(', ')}`
}

interface TargetCheck {
  readonly file: string
  readonly own: Layer
  readonly target: string
  readonly sources: Sources
}

function problemOfTarget({ own, target, sources }: TargetCheck): string | undefined {
  if (!target.startsWith('src/')) return `\`${target}\` is not in src/`
  if (!sources.has(target)) return `\`${target}\` does not exist`
  const other = layerOf(target)
  if (other === undefined || other === own) return undefined
  const inside = target.slice('src/'.length)
  const forbidden = own.never?.find((name) => inside.startsWith(name))
  if (forbidden !== undefined) return `${own.name} never imports \`${forbidden}\``
  if (own.peers?.includes(other.name) === true) return undefined
  if (other.rank >= own.rank) {
    return `${own.name} (rank ${own.rank}) imports ${other.name} (rank ${other.rank}): only lower ranks`
  }
  if (own.only !== undefined && !own.only.includes(other.name)) {
    return `${own.name} may only import ${own.only.join(', ')}, not ${other.name}`
  }
  return undefined
}

/** One line for each cycle, written from its alphabetically first file. Type imports count: they tie files together too. */
function findCycles(sources: Sources): string[] {
  const cycles = new Set<string>()
  const done = new Set<string>()
  const trail: string[] = []
  const visit = (file: string): void => {
    const start = trail.indexOf(file)
    if (start !== -1) {
      cycles.add(describeCycle(trail.slice(start)))
      return
    }
    if (done.has(file)) return
    trail.push(file)
    for (const { target } of importsOf(file, sources.get(file) ?? '')) {
      if (target !== undefined && sources.has(target)) visit(target)
    }
    trail.pop()
    done.add(file)
  }
  for (const file of [...sources.keys()].toSorted()) visit(file)
  return [...cycles]
}

function describeCycle(files: readonly string[]): string {
  const first = files.toSorted()[0] ?? ''
  const start = files.indexOf(first)
  const turned = [...files.slice(start), ...files.slice(0, start)]
  return `${first}: an import cycle: ${[...turned, first].join(' → ')}`
}

function importsOf(file: string, source: string): Import[] {
  const code = withoutComments(source)
  return importPatterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => {
      const specifier = match[1] ?? ''
      const relative = specifier.startsWith('.')
      const target = relative ? path.posix.join(path.posix.dirname(file), specifier) : undefined
      return { specifier, target }
    }),
  )
}

/** Examples in comments import nothing. Strings that hold comment signs are rare, and never imports. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}

function packageNameOf(specifier: string): string {
  const parts = specifier.split('/')
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

function layerOf(file: string): Layer | undefined {
  const [, first = '', second] = file.split('/')
  const name = second === undefined ? first.replace(/\.ts$/, '') : first
  return layers.find((layer) =>
    layer.name.endsWith('*') ? name.startsWith(layer.name.slice(0, -1)) : layer.name === name,
  )
}

function readSources(): Sources {
  const files = globSync(['src/**/*.ts', 'scripts/**/*.ts', 'test/**/*.ts'], {
    exclude: ['**/node_modules/**'],
  })
  return new Map(files.toSorted().map((file) => [file, readFileSync(file, 'utf8')]))
}

if (import.meta.main) {
  const problems = findProblems(readSources())
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
}
