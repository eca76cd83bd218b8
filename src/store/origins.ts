import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'

/** Where the parts of a tree that was put together stood in the file. */
export interface Origins {
  note(part: object, origin: Origin): void
  /** The path in the file of a path in the tree. */
  originalPath(tree: unknown, path: Path): Path
}

export interface Origin {
  /** Where the keys of the part stand. */
  readonly path: Path
  /** Keys that stand elsewhere. */
  readonly keys: Readonly<Record<string, Path>>
}

export function createOrigins(): Origins {
  const origins = new WeakMap<object, Origin>()
  const originOf = (part: unknown): Origin | undefined =>
    typeof part === 'object' && part !== null ? origins.get(part) : undefined

  return {
    note(part, origin) {
      origins.set(part, origin)
    },
    originalPath(tree, path) {
      let part = tree
      let original: Path = originOf(tree)?.path ?? []
      for (const step of path) {
        const moved = originOf(part)?.keys[String(step)]
        part = childOf(part, step)
        original = originOf(part)?.path ?? moved ?? [...original, step]
      }
      return original
    },
  }
}

/**
 * Takes paths into a tree and reports them where the parts stood in the file. An error about something of which an error
 * is known already is dropped.
 */
export function createOriginalFindings(
  findings: Findings,
  tree: unknown,
  origins: Origins,
): Findings {
  const original = (path: Path) => origins.originalPath(tree, path)
  const known = new Set(
    findings.problems.filter(({ severity }) => severity === 'error').map(placeKey),
  )
  return {
    get problems() {
      return findings.problems
    },
    get hasErrors() {
      return findings.hasErrors
    },
    locate: (path, at) => findings.locate(original(path), at),
    error(path, message, at) {
      const place = original(path)
      if (!known.has(placeKey(findings.locate(place, at)))) findings.error(place, message, at)
    },
    warning(path, message, at) {
      findings.warning(original(path), message, at)
    },
    foundWithin: (path) => findings.foundWithin(original(path)),
  }
}

function placeKey({ line, column }: { readonly line: number; readonly column: number }): string {
  return `${line}:${column}`
}

function childOf(part: unknown, step: string | number): unknown {
  if (Array.isArray(part)) return part[Number(step)]
  if (typeof part !== 'object' || part === null) return undefined
  const own: unknown = Object.hasOwn(part, step) ? Reflect.get(part, step) : undefined
  return own
}
