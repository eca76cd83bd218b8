import type { Guid } from '../perimeter/guid.ts'
import type { Decision } from './decision.ts'
import type { OutboundRequest } from './request.ts'
import type { CompiledAssociation, PolicySnapshot, ResourcePolicy } from './snapshot.ts'
import { decideByStages, type Stage, type StageMatch, type StageTable } from './stage.ts'

/** Lines of the outbound table. */
export type OutboundRow = '1a' | '1b' | '2' | '3' | '4' | '5a' | '5b' | '5c'

type OutboundStage = Stage<OutboundRow, OutboundRequest>

/**
 * What a resource may reach. In order; the first that answers decides (NSP docs: matrix of publicNetworkAccess and
 * access mode, order of evaluation, log categories; wildcards, ports and the place of Audit are Ringfence's choice):
 *
 * - 1a, 1b: without an association there is no perimeter to ask.
 * - 2: members of the same perimeter, by the names settings give them.
 * - 3: members of linked perimeters: exactly what stage 4 of their inbound table would let in.
 * - 4: an FQDN rule of the profile, on one of the ports that such rules cover.
 * - 5a–5c: nothing of the perimeter allows it. Enforced denies, and so does a resource that is secured by its
 *   perimeter alone; the other modes let it out. `port-not-allowed` says that the name alone would have passed.
 */
export const outboundStages: readonly OutboundStage[] = [
  {
    row: '1a',
    reason: 'locked-down',
    when: 'no perimeter associates the resource, and its publicNetworkAccess is SecuredByPerimeter',
    match: ({ resource }) =>
      resource.association === undefined && resource.publicNetworkAccess === 'SecuredByPerimeter',
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicOutboundPerimeterRulesDenied',
    trafficType: 'Public',
  },
  {
    row: '1b',
    reason: 'not-associated',
    when: 'no perimeter associates the resource, and its publicNetworkAccess is not SecuredByPerimeter',
    match: ({ resource }) => resource.association === undefined && isUnsecured(resource),
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspPublicOutboundResourceRulesAllowed',
    trafficType: 'Public',
  },
  {
    row: '2',
    reason: 'same-perimeter',
    when: 'the destination is a host of a member of the same perimeter',
    match: (request, snapshot) => {
      const member = findMember(request, snapshot)
      return member !== undefined && member.perimeter.guid === ownPerimeter(request)
    },
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspOutboundAttempt',
    trafficType: 'Intra',
  },
  {
    row: '3',
    reason: 'linked-perimeter',
    when: 'the destination is a host of a member of a linked perimeter, in a profile that the link reaches',
    match: (request, snapshot) => {
      const guid = ownPerimeter(request)
      const member = findMember(request, snapshot)
      return guid !== undefined && member !== undefined && member.profile.linkedPerimeters.has(guid)
    },
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspCrossPerimeterOutboundAllowed',
    trafficType: 'Cross',
  },
  {
    row: '4',
    reason: 'access-rule',
    when: 'an outbound access rule of the profile names the destination, and the port is one of egress.ports',
    match: (request, snapshot) =>
      snapshot.egressPorts.has(request.destination.port) && matchRules(request),
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspPublicOutboundPerimeterRulesAllowed',
    trafficType: 'Public',
  },
  {
    row: '5a',
    reason: 'audit-mode',
    when: 'the access mode is Audit, and publicNetworkAccess is not SecuredByPerimeter',
    match: ({ resource }) => resource.association?.accessMode === 'Audit' && isUnsecured(resource),
    effect: 'allow',
    enforcedEffect: 'deny',
    category: 'NspPublicOutboundResourceRulesAllowed',
    trafficType: 'Public',
  },
  {
    row: '5b',
    reason: 'port-not-allowed',
    when:
      'the access mode is Enforced, or publicNetworkAccess is SecuredByPerimeter; ' +
      'an access rule names the destination, only the port is not one of egress.ports',
    match: (request) => isClosed(request) && matchRules(request) !== false,
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicOutboundPerimeterRulesDenied',
    trafficType: 'Public',
  },
  {
    row: '5b',
    reason: 'no-matching-rule',
    when: 'the access mode is Enforced, or publicNetworkAccess is SecuredByPerimeter',
    match: (request) => isClosed(request),
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicOutboundPerimeterRulesDenied',
    trafficType: 'Public',
  },
  {
    row: '5c',
    reason: 'learning-mode',
    when: 'the access mode is Learning',
    match: ({ resource }) =>
      resource.association?.accessMode === 'Learning' && isUnsecured(resource),
    effect: 'allow',
    enforcedEffect: 'deny',
    category: 'NspPublicOutboundResourceRulesAllowed',
    trafficType: 'Public',
  },
]

/** The outbound table, as `evaluateOutbound` and `explainOutbound` ask it. */
export const outboundTable: StageTable<OutboundRow, OutboundRequest> = {
  direction: 'Outbound',
  stages: outboundStages,
}

/**
 * Decides whether `request.resource`, which is of this snapshot, may reach the destination's name. Pure, and never
 * throws. The addresses of an allowed name are the guard's to judge.
 */
export function evaluateOutbound(snapshot: PolicySnapshot, request: OutboundRequest): Decision {
  return decideByStages(outboundTable, snapshot, request)
}

function ownPerimeter(request: OutboundRequest): Guid | undefined {
  return request.resource.association?.perimeter.guid
}

/** The association of the resource that has the destination for a host. An address is nobody's name. */
function findMember(
  { destination }: OutboundRequest,
  snapshot: PolicySnapshot,
): CompiledAssociation | undefined {
  if (destination.host.kind !== 'name') return undefined
  return snapshot.resourcesByHost.get(destination.host.name)?.association
}

/** The first rule in file order that names the destination, on whatever port. IP literals match no FQDN rule. */
function matchRules({ resource, destination }: OutboundRequest): StageMatch {
  if (resource.association === undefined || destination.host.kind !== 'name') return false
  const { profile } = resource.association
  const rule = profile.names.match(destination.host.name)
  return rule === -1 ? false : (profile.rules.nameOf(rule) ?? false)
}

/** Not `SecuredByPerimeter`, said by what it is: what is neither must not pass for unsecured. */
function isUnsecured({ publicNetworkAccess }: ResourcePolicy): boolean {
  return publicNetworkAccess === 'Enabled' || publicNetworkAccess === 'Disabled'
}

/** Whether what no rule allows is denied. */
export function isClosed({ resource }: Pick<OutboundRequest, 'resource'>): boolean {
  return (
    resource.association?.accessMode === 'Enforced' ||
    resource.publicNetworkAccess === 'SecuredByPerimeter'
  )
}
