import type { Path } from './problem.ts'

/** Something that was read, and where in its document it stands. */
export interface Placed<T> {
  readonly value: T
  readonly path: Path
}

export function valuesOf<T>(placed: readonly Placed<T>[]): readonly T[] {
  return placed.map(({ value }) => value)
}
