import type { Category } from '../perimeter/category.ts'
import type { Direction } from '../perimeter/perimeter.ts'
import type { ContentReason, DecisionReason } from '../reasons.ts'
import type { Decision } from './decision.ts'
import type { ResourcePolicy } from './snapshot.ts'

/** Why something is denied before the first stage is asked, or after a stage allowed it. */
export type OutsideReason =
  | ContentReason
  | Extract<
      DecisionReason,
      | 'bad-request'
      | 'unknown-resource'
      | 'unknown-caller'
      | 'private-endpoint-not-approved'
      | 'limit'
      | 'loop'
      | 'address-not-public'
      | 'policy-revoked'
      | 'internal-error'
    >

export interface OutsideDenial {
  readonly direction: Direction
  readonly reason: OutsideReason
  /** Undefined where none is known (yet). */
  readonly resource: ResourcePolicy | undefined
  /** Empty before the first policy is loaded. */
  readonly policyVersion: string
}

/**
 * A denial that no stage spoke. Enforced mode would have said the same, so `enforcedEffect` is deny. The category is
 * the perimeter's where the perimeter would have denied by default (the resource is Enforced or locked down), the
 * resource's own otherwise, and none where no resource is known.
 */
export function denyOutsideStages(denial: OutsideDenial): Decision {
  const { direction, reason, resource, policyVersion } = denial
  return {
    effect: 'deny',
    reason,
    direction,
    category: resource === undefined ? undefined : deniedCategory(direction, resource),
    trafficType: resource === undefined ? undefined : 'Public',
    resource,
    rule: undefined,
    accessMode: resource?.association?.accessMode,
    enforcedEffect: 'deny',
    policyVersion,
  }
}

function deniedCategory(direction: Direction, resource: ResourcePolicy): Category {
  const byPerimeter =
    resource.association === undefined
      ? resource.publicNetworkAccess === 'SecuredByPerimeter'
      : resource.association.accessMode === 'Enforced'
  if (direction === 'Inbound') {
    return byPerimeter
      ? 'NspPublicInboundPerimeterRulesDenied'
      : 'NspPublicInboundResourceRulesDenied'
  }
  return byPerimeter
    ? 'NspPublicOutboundPerimeterRulesDenied'
    : 'NspPublicOutboundResourceRulesDenied'
}
