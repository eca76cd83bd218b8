import type { Path } from './problem.ts'

/** Paths, and whether a path lies above or below one of them; each question costs as much as the path is long. */
export interface PathSet {
  add(path: Path): void
  /** Whether one of the paths is this one or lies below it. */
  hasWithin(path: Path): boolean
  /** Whether this path is one of them or lies below one. */
  covers(path: Path): boolean
}

export function createPathSet(): PathSet {
  const own = new Set<string>()
  const above = new Set<string>()
  return {
    add(path) {
      own.add(keyOf(path))
      for (let length = 0; length <= path.length; length++) above.add(keyOf(path.slice(0, length)))
    },
    hasWithin: (path) => above.has(keyOf(path)),
    covers: (path) => {
      for (let length = 0; length <= path.length; length++) {
        if (own.has(keyOf(path.slice(0, length)))) return true
      }
      return false
    },
  }
}

/** Indexes count as the texts that they are written as. */
function keyOf(path: Path): string {
  return JSON.stringify(path.map(String))
}
