import type { Path } from './problem.ts'

/** For each copied list that lost items: which index each of those that stayed had before. */
export type KeptIndexes = WeakMap<object, readonly number[]>

interface Removal {
  whole: boolean
  readonly parts: Map<string, Removal>
}

/** Copies data without what stands at the paths, and notes in `keptIndexes` how lists were closed up. */
export function copyWithout(
  data: unknown,
  paths: readonly Path[],
  keptIndexes: KeptIndexes,
): unknown {
  const root = createRemoval()
  for (const path of paths) {
    let removal = root
    for (const part of path) {
      const key = String(part)
      const next = removal.parts.get(key) ?? createRemoval()
      removal.parts.set(key, next)
      removal = next
    }
    removal.whole = true
  }
  return copy(data, root, keptIndexes)
}

/** The path that a part of the copy had in the data before anything was left out. */
export function originalPath(value: unknown, path: Path, keptIndexes: KeptIndexes): Path {
  let current = value
  return path.map((part) => {
    const kept =
      typeof current === 'object' && current !== null ? keptIndexes.get(current) : undefined
    current = partOf(current, part)
    return kept?.[Number(part)] ?? part
  })
}

function createRemoval(): Removal {
  return { whole: false, parts: new Map() }
}

function copy(data: unknown, removal: Removal | undefined, keptIndexes: KeptIndexes): unknown {
  if (Array.isArray(data)) return copyList(data, removal, keptIndexes)
  if (typeof data !== 'object' || data === null) return data
  const result: Record<string, unknown> = { __proto__: null }
  for (const [key, value] of Object.entries(data)) {
    const inner = removal?.parts.get(key)
    if (inner?.whole !== true) result[key] = copy(value, inner, keptIndexes)
  }
  return result
}

function copyList(
  list: readonly unknown[],
  removal: Removal | undefined,
  keptIndexes: KeptIndexes,
): unknown[] {
  const before = keptIndexes.get(list)
  const result: unknown[] = []
  const indexes: number[] = []
  for (const [index, item] of list.entries()) {
    const inner = removal?.parts.get(String(index))
    if (inner?.whole === true) continue
    result.push(copy(item, inner, keptIndexes))
    indexes.push(before?.[index] ?? index)
  }
  if (before !== undefined || indexes.length < list.length) keptIndexes.set(result, indexes)
  return result
}

function partOf(value: unknown, part: string | number): unknown {
  if (Array.isArray(value)) return value[Number(part)]
  if (typeof value !== 'object' || value === null) return undefined
  const own: unknown = Object.hasOwn(value, part) ? Reflect.get(value, part) : undefined
  return own
}
