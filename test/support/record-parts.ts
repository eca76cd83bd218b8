import type { AccessRecord, RecordEnd } from '../../src/audit/record.ts'
import type { Decision } from '../../src/policy/decision.ts'
import type { ResourcePolicy } from '../../src/policy/snapshot.ts'
import { buildInForce } from './in-force.ts'
import { resourceId } from './settings-parts.ts'

/** Records as tests like to write them: JSON, with only what matters. */
export interface RecordParts {
  readonly decision: Partial<Omit<Decision, 'resource'>> & {
    /** `orders` is a member of perimeter shop, `loner` of none. */
    readonly resource?: 'orders' | 'loner'
  }
  readonly time?: string
  readonly operationName?: string
  readonly correlationId?: string
  readonly serviceFqdn?: string
  readonly source?: {
    readonly ipAddress?: string
    readonly port?: number
    readonly protocol?: string
    /** A bare name. */
    readonly resource?: string
    readonly perimeterGuids?: readonly string[]
    readonly subscriptions?: readonly string[]
  }
  readonly destination?: {
    readonly fullyQualifiedDomainName?: string
    readonly ipAddress?: string
    readonly port?: number
    readonly protocol?: string
    /** A bare name. */
    readonly resource?: string
    readonly upstreamProxy?: string
  }
  readonly removedHeaders?: readonly string[]
  readonly detail?: string
  readonly end?: RecordEnd
}

const { snapshot } = buildInForce({
  resources: [
    { id: 'orders', hosts: ['orders.example'] },
    { id: 'loner', hosts: ['loner.example'] },
  ],
  perimeters: [
    { name: 'shop', profiles: [{ name: 'web' }], associations: [{ resource: 'orders' }] },
  ],
})

/** A resource policy whose profile has version 7, whatever the compiler makes of it. */
function testResource(name: string): ResourcePolicy {
  const policy = snapshot.resources.get(resourceId(name).key)
  if (policy === undefined) throw new Error(`no resource ${name}`)
  const { association } = policy
  if (association === undefined) return policy
  const profile = { ...association.profile, accessRulesVersion: '7' }
  return { ...policy, association: { ...association, profile } }
}

const byName: Readonly<Record<string, ResourcePolicy>> = {
  orders: testResource('orders'),
  loner: testResource('loner'),
}

export function recordFrom(parts: RecordParts): AccessRecord {
  const { source, destination } = parts
  const { resource, ...decision } = parts.decision
  return {
    time: Date.parse(parts.time ?? '2026-11-23T09:20:00.123Z'),
    correlationId: parts.correlationId ?? 'c0ffee00-0000-4000-8000-000000000001',
    operationName: parts.operationName ?? 'GET',
    decision: {
      effect: 'deny',
      reason: 'no-matching-rule',
      direction: 'Inbound',
      category: undefined,
      trafficType: undefined,
      rule: undefined,
      accessMode: undefined,
      enforcedEffect: 'deny',
      policyVersion: '9f86d081884c7d65',
      ...decision,
      resource: resource === undefined ? undefined : byName[resource],
    },
    serviceFqdn: parts.serviceFqdn,
    source: source && {
      ipAddress: source.ipAddress,
      port: source.port,
      protocol: source.protocol ?? 'HTTPS:TCP',
      resourceId: source.resource === undefined ? undefined : resourceId(source.resource),
      perimeterGuids: source.perimeterGuids ?? [],
      subscriptions: source.subscriptions ?? [],
    },
    destination: destination && {
      resourceId: destination.resource === undefined ? undefined : resourceId(destination.resource),
      fullyQualifiedDomainName: destination.fullyQualifiedDomainName,
      ipAddress: destination.ipAddress,
      port: destination.port,
      protocol: destination.protocol ?? 'HTTPS:TCP',
      upstreamProxy: destination.upstreamProxy,
    },
    removedHeaders: parts.removedHeaders ?? [],
    detail: parts.detail,
    end: parts.end,
  }
}
