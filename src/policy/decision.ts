import type { Category, TrafficType } from '../perimeter/category.ts'
import type { AccessMode, Direction } from '../perimeter/perimeter.ts'
import type { DecisionReason } from '../reasons.ts'
import type { ResourcePolicy } from './snapshot.ts'

export type Effect = 'allow' | 'deny'

/** What was decided and why. Immutable; the one thing that proxies act on and the access log prints. */
export interface Decision {
  readonly effect: Effect
  /** The stage that answered, or why no stage was asked. */
  readonly reason: DecisionReason
  readonly direction: Direction
  /** Undefined only where no resource is known. */
  readonly category: Category | undefined
  readonly trafficType: TrafficType | undefined
  /** The protected resource, with its perimeter, profile and mode; undefined where none is known. */
  readonly resource: ResourcePolicy | undefined
  /** Name of the access rule (or of the resource's own rule) that matched. */
  readonly rule: string | undefined
  readonly accessMode: AccessMode | undefined
  /** What Enforced mode would have answered. */
  readonly enforcedEffect: Effect
  /** Version of the snapshot that decided; empty where there was none. */
  readonly policyVersion: string
}
