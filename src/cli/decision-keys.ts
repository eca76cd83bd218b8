import type { Decision } from '../policy/decision.ts'

/** A decision as `decide` and `explain --json` print it. `null` where there is nothing: JSON has no `undefined`. */
export interface PrintedDecision {
  readonly effect: string
  readonly reason: string
  readonly category: string | null
  readonly trafficType: string | null
  /** Name. */
  readonly perimeter: string | null
  /** Name. */
  readonly profile: string | null
  readonly rule: string | null
  readonly accessMode: string | null
  readonly enforcedEffect: string
}

/** The keys of a decision in their fixed order. */
export function printDecision(decision: Decision): PrintedDecision {
  const association = decision.resource?.association
  return {
    effect: decision.effect,
    reason: decision.reason,
    category: decision.category ?? null,
    trafficType: decision.trafficType ?? null,
    perimeter: association?.perimeter.perimeter.name ?? null,
    profile: association?.profile.name ?? null,
    rule: decision.rule ?? null,
    accessMode: decision.accessMode ?? null,
    enforcedEffect: decision.enforcedEffect,
  }
}
