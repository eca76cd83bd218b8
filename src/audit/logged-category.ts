import type { Decision } from '../policy/decision.ts'

/**
 * Whether a decision belongs into the access log: its perimeter's `loggingConfiguration` enables the category, or lists
 * none (NSP: absent or empty is all). A decision without a perimeter or without a category is always logged.
 *
 * This is the only place that asks. It is asked before a record is accepted and numbered, so that a gap in the numbers
 * is exactly what was lost and never what the administrator switched off.
 */
export function isLogged(decision: Decision): boolean {
  const enabled = decision.resource?.association?.perimeter.enabledLogCategories
  return enabled === undefined || decision.category === undefined || enabled.has(decision.category)
}
