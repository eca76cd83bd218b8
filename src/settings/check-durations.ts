import type { Findings } from '../documents/findings.ts'
import type { Settings } from './settings.ts'

/** Below this a time-out was probably meant in seconds. */
const shortestPlausibleMs = 100

/** Durations that are possible and probably not meant. */
export function checkDurations(settings: Settings, findings: Findings): void {
  const { timeouts } = settings
  for (const [key, value] of Object.entries(timeouts)) {
    if (typeof value !== 'number' || value >= shortestPlausibleMs) continue
    findings.warning(
      ['timeouts', key],
      `${value} ms is very short; time-outs are written in milliseconds`,
    )
  }
  if (timeouts.tunnelIdleMs > timeouts.tunnelLifetimeMs) {
    findings.warning(
      ['timeouts', 'tunnelIdleMs'],
      '`tunnelIdleMs` is longer than `tunnelLifetimeMs` and never ends a tunnel',
    )
  }
}
