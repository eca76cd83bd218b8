import type { Category, TrafficType } from '../perimeter/category.ts'
import type { Direction } from '../perimeter/perimeter.ts'
import type { DecisionReason } from '../reasons.ts'
import type { Decision, Effect } from './decision.ts'
import { denyOutsideStages } from './deny-outside-stages.ts'
import type { PolicySnapshot, ResourcePolicy } from './snapshot.ts'

/** Whether a stage answers: not at all, yes, or yes by the access rule (or the resource's own rule) of this name. */
export type StageMatch = boolean | string

/** One line of a table of stages: when it answers, and all that its answer says. */
export interface Stage<Row extends string, Request> {
  /** The line's number in the design's table. Lines that share a number are the two effects of one stage. */
  readonly row: Row
  readonly reason: DecisionReason
  /** The table's condition, in words. The lines above have not answered. */
  readonly when: string
  /** Pure. A fault in it denies with `internal-error`. */
  readonly match: (request: Request, snapshot: PolicySnapshot) => StageMatch
  readonly effect: Effect
  /** What Enforced mode would have answered in its place. */
  readonly enforcedEffect: Effect
  readonly category: Category
  readonly trafficType: TrafficType
}

/** A table: the first stage that matches decides. */
export interface StageTable<Row extends string, Request> {
  readonly direction: Direction
  readonly stages: readonly Stage<Row, Request>[]
}

/**
 * Asks the stages in order and returns the first answer. Never throws: a fault, and a table in which nobody answers,
 * deny with `internal-error`.
 */
export function decideByStages<
  Row extends string,
  Request extends { readonly resource: ResourcePolicy },
>(table: StageTable<Row, Request>, snapshot: PolicySnapshot, request: Request): Decision {
  try {
    for (const stage of table.stages) {
      const match = stage.match(request, snapshot)
      if (match === false) continue
      const { resource } = request
      return {
        effect: stage.effect,
        reason: stage.reason,
        direction: table.direction,
        category: stage.category,
        trafficType: stage.trafficType,
        resource,
        rule: match === true ? undefined : match,
        accessMode: resource.association?.accessMode,
        enforcedEffect: stage.enforcedEffect,
        policyVersion: snapshot.version,
      }
    }
  } catch {
    // Deny below: what cannot be evaluated is not let through.
  }
  return denyFault(table.direction, snapshot, request)
}

/** Deny for a fault, with as much of the facts as can still be read: they may be what is broken. */
function denyFault(
  direction: Direction,
  snapshot: PolicySnapshot,
  request: { readonly resource: ResourcePolicy },
): Decision {
  const reason = 'internal-error'
  try {
    const { resource } = request
    return denyOutsideStages({ direction, reason, resource, policyVersion: snapshot.version })
  } catch {
    return denyOutsideStages({ direction, reason, resource: undefined, policyVersion: '' })
  }
}
