import { createHash } from 'node:crypto'
import type { CurrentInForce, InForce } from '../../src/settings/in-force.ts'
import { compileForTests, guardForTests } from './temporary-compile.ts'
import { type InForceParts, perimeterFrom, settingsFrom } from './settings-parts.ts'

/** What is in force, built by hand for tests of the proxies. */
export function buildInForce(parts: InForceParts): InForce {
  const settings = settingsFrom(parts)
  const perimeters = (parts.perimeters ?? []).map(perimeterFrom)
  const version = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  const snapshot = compileForTests({ settings, perimeters, version })
  return { version, settings, snapshot, guard: guardForTests(settings) }
}

/** One reference to what is in force, which a test swaps as a reload would. */
export interface HeldInForce {
  readonly current: CurrentInForce
  /** Builds the next and swaps it in; returns its version. */
  swap(parts: InForceParts): string
  /** As before the first policy is loaded. */
  clear(): void
}

export function holdInForce(parts: InForceParts): HeldInForce {
  let held: InForce | undefined = buildInForce(parts)
  return {
    current: () => held,
    swap(next) {
      held = buildInForce(next)
      return held.version
    },
    clear() {
      held = undefined
    },
  }
}
