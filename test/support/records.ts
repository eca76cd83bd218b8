import type { AccessRecord } from '../../src/audit/record.ts'
import type { Decision } from '../../src/policy/decision.ts'

/** An access record as a proxy hands it over, with what matters to the test. */
export function recordOf(
  parts: Partial<Omit<AccessRecord, 'decision'>> & { readonly decision?: Partial<Decision> },
): AccessRecord {
  const { decision, ...rest } = parts
  return {
    time: Date.UTC(2026, 0, 2, 3, 4, 5),
    correlationId: 'c0ffee00-0000-4000-8000-000000000000',
    operationName: 'GET',
    serviceFqdn: undefined,
    source: undefined,
    destination: undefined,
    removedHeaders: [],
    detail: undefined,
    end: undefined,
    ...rest,
    decision: {
      effect: 'deny',
      reason: 'no-matching-rule',
      direction: 'Inbound',
      category: 'NspPublicInboundPerimeterRulesDenied',
      trafficType: 'Public',
      resource: undefined,
      rule: undefined,
      accessMode: 'Enforced',
      enforcedEffect: 'deny',
      policyVersion: 'v1',
      ...decision,
    },
  }
}
