import type { Category } from '../perimeter/category.ts'

/** What NSP's table says next to a category (NSP docs, diagnostic logs; the table `NSPAccessLogs`). */
export interface CategoryColumns {
  /** Undefined: traffic that no rule was asked about. */
  readonly ruleType: 'NSP' | 'Resource' | undefined
  /** False: an attempt, of which the other side logs the result. */
  readonly hasResult: boolean
}

const byPerimeter: CategoryColumns = { ruleType: 'NSP', hasResult: true }
const byResource: CategoryColumns = { ruleType: 'Resource', hasResult: true }
const byNobody: CategoryColumns = { ruleType: undefined, hasResult: true }

export const categoryColumns = {
  NspPublicInboundPerimeterRulesAllowed: byPerimeter,
  NspPublicInboundPerimeterRulesDenied: byPerimeter,
  NspPublicOutboundPerimeterRulesAllowed: byPerimeter,
  NspPublicOutboundPerimeterRulesDenied: byPerimeter,
  NspPublicInboundResourceRulesAllowed: byResource,
  NspPublicInboundResourceRulesDenied: byResource,
  NspPublicOutboundResourceRulesAllowed: byResource,
  NspPublicOutboundResourceRulesDenied: byResource,
  NspIntraPerimeterInboundAllowed: byNobody,
  NspOutboundAttempt: { ruleType: undefined, hasResult: false },
  NspCrossPerimeterInboundAllowed: byPerimeter,
  NspCrossPerimeterOutboundAllowed: byPerimeter,
  NspPrivateInboundAllowed: byNobody,
} as const satisfies Record<Category, CategoryColumns>
