import { PerimeterError } from '../errors.ts'
import type { Bound } from './bound.ts'

/** Opens listeners one after the other, and keeps why some do not open: all of it is told at once. */
export interface Openings {
  /** Adds what it opens to `bound`. Throws what is no address that cannot be listened on. */
  add(open: () => Promise<Bound | undefined>): Promise<void>
  /** Throws `PerimeterError` RF_LISTEN with a line for each that did not open. */
  check(): void
}

export function createOpenings(bound: Bound[]): Openings {
  const problems: string[] = []
  return {
    async add(open) {
      try {
        const opened = await open()
        if (opened !== undefined) bound.push(opened)
      } catch (error) {
        if (!(error instanceof PerimeterError) || error.code !== 'RF_LISTEN') throw error
        problems.push(error.message)
      }
    },
    check() {
      if (problems.length > 0) throw new PerimeterError('RF_LISTEN', problems.join('\n'))
    },
  }
}
