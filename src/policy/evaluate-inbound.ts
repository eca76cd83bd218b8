import type { Decision } from './decision.ts'
import type { InboundRequest, Source } from './request.ts'
import type { CompiledProfile, PolicySnapshot, ResourcePolicy } from './snapshot.ts'
import { decideByStages, type Stage, type StageMatch, type StageTable } from './stage.ts'

/** Lines of the inbound table. */
export type InboundRow = '1' | '2a' | '2b' | '2c' | '3' | '4' | '5' | '6a' | '6b' | '6c' | '6d'

type InboundStage = Stage<InboundRow, InboundRequest>

/**
 * Who may reach a resource. In order; the first that answers decides (NSP docs: matrix of publicNetworkAccess and
 * access mode, order of evaluation, log categories; the place of Audit is Ringfence's own choice):
 *
 * - 1: private endpoints are no public network and no business of the perimeter.
 * - 2a–2c: without an association there is no perimeter to ask. Losing one locks, it never opens.
 * - 3, 4: members of the same perimeter, then of linked ones. Profiles do not divide the members of one perimeter.
 * - 5: an access rule of the profile. Rules only allow, so their order decides nothing but which one is reported.
 * - 6a–6d: nothing of the perimeter allows it. Enforced denies; the other modes let the resource decide, but only
 *   where it is open to the public at all.
 */
export const inboundStages: readonly InboundStage[] = [
  {
    row: '1',
    reason: 'private-endpoint',
    when: 'it arrives over an approved private endpoint',
    match: (request) => request.network === 'private',
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspPrivateInboundAllowed',
    trafficType: 'Private',
  },
  {
    row: '2a',
    reason: 'locked-down',
    when: 'no perimeter associates the resource, and its publicNetworkAccess is SecuredByPerimeter',
    match: ({ resource }) =>
      resource.association === undefined && resource.publicNetworkAccess === 'SecuredByPerimeter',
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicInboundPerimeterRulesDenied',
    trafficType: 'Public',
  },
  {
    row: '2b',
    reason: 'public-access-disabled',
    when: 'no perimeter associates the resource, and its publicNetworkAccess is Disabled',
    match: ({ resource }) =>
      resource.association === undefined && resource.publicNetworkAccess === 'Disabled',
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicInboundResourceRulesDenied',
    trafficType: 'Public',
  },
  {
    row: '2c',
    reason: 'resource-rules',
    when: 'no perimeter associates the resource, and its own firewall lets the source in',
    match: ({ resource, source }) =>
      resource.association === undefined &&
      resource.publicNetworkAccess === 'Enabled' &&
      matchFirewall(resource, source),
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspPublicInboundResourceRulesAllowed',
    trafficType: 'Public',
  },
  {
    row: '2c',
    reason: 'resource-rules',
    when: 'no perimeter associates the resource, and its own firewall keeps the source out',
    match: ({ resource }) => resource.association === undefined,
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicInboundResourceRulesDenied',
    trafficType: 'Public',
  },
  {
    row: '3',
    reason: 'same-perimeter',
    when: 'the caller is verified as a member of the same perimeter',
    match: ({ resource, source }) =>
      resource.association !== undefined &&
      source.perimeters.includes(resource.association.perimeter.guid),
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspIntraPerimeterInboundAllowed',
    trafficType: 'Intra',
  },
  {
    row: '4',
    reason: 'linked-perimeter',
    when: "the caller's perimeter is linked to this one, and the link reaches the profile",
    match: ({ resource, source }) =>
      resource.association !== undefined &&
      isLinked(resource.association.profile.linkedPerimeters, source),
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspCrossPerimeterInboundAllowed',
    trafficType: 'Cross',
  },
  {
    row: '5',
    reason: 'access-rule',
    when: 'an inbound access rule of the profile names the source address, itself or by a service tag, or a subscription of the caller',
    match: ({ resource, source }) =>
      resource.association !== undefined && matchRules(resource.association.profile, source),
    effect: 'allow',
    enforcedEffect: 'allow',
    category: 'NspPublicInboundPerimeterRulesAllowed',
    trafficType: 'Public',
  },
  {
    row: '6a',
    reason: 'audit-mode',
    when: 'the access mode is Audit, and publicNetworkAccess is Enabled',
    match: ({ resource }) =>
      resource.association?.accessMode === 'Audit' && resource.publicNetworkAccess === 'Enabled',
    effect: 'allow',
    enforcedEffect: 'deny',
    category: 'NspPublicInboundResourceRulesAllowed',
    trafficType: 'Public',
  },
  {
    row: '6b',
    reason: 'no-matching-rule',
    when: 'the access mode is Enforced, or publicNetworkAccess is SecuredByPerimeter',
    match: ({ resource }) =>
      resource.association?.accessMode === 'Enforced' ||
      resource.publicNetworkAccess === 'SecuredByPerimeter',
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicInboundPerimeterRulesDenied',
    trafficType: 'Public',
  },
  {
    row: '6c',
    reason: 'no-matching-rule',
    when: 'publicNetworkAccess is Disabled',
    match: ({ resource }) => resource.publicNetworkAccess === 'Disabled',
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicInboundResourceRulesDenied',
    trafficType: 'Public',
  },
  {
    row: '6d',
    reason: 'resource-rules',
    when: "the access mode is Learning, and the resource's own firewall lets the source in",
    match: ({ resource, source }) =>
      resource.association?.accessMode === 'Learning' &&
      resource.publicNetworkAccess === 'Enabled' &&
      matchFirewall(resource, source),
    effect: 'allow',
    enforcedEffect: 'deny',
    category: 'NspPublicInboundResourceRulesAllowed',
    trafficType: 'Public',
  },
  {
    row: '6d',
    reason: 'resource-rules',
    when: "the access mode is Learning, and the resource's own firewall keeps the source out",
    match: ({ resource }) => resource.association?.accessMode === 'Learning',
    effect: 'deny',
    enforcedEffect: 'deny',
    category: 'NspPublicInboundResourceRulesDenied',
    trafficType: 'Public',
  },
]

/** The inbound table, as `evaluateInbound` and `explainInbound` ask it. */
export const inboundTable: StageTable<InboundRow, InboundRequest> = {
  direction: 'Inbound',
  stages: inboundStages,
}

/** Decides whether a request may reach `request.resource`, which is of this snapshot. Pure, and never throws. */
export function evaluateInbound(snapshot: PolicySnapshot, request: InboundRequest): Decision {
  return decideByStages(inboundTable, snapshot, request)
}

function isLinked(linked: CompiledProfile['linkedPerimeters'], source: Source): boolean {
  for (const perimeter of source.perimeters) if (linked.has(perimeter)) return true
  return false
}

/** The first rule in file order that names the address or a subscription. */
function matchRules(profile: CompiledProfile, source: Source): StageMatch {
  let first = source.address === undefined ? -1 : profile.addresses.match(source.address)
  for (const subscription of source.subscriptions) {
    const rule = profile.subscriptions.match(subscription)
    if (rule !== -1 && (first === -1 || rule < first)) first = rule
  }
  return first === -1 ? false : (profile.rules.nameOf(first) ?? false)
}

/** The prefix of the firewall that lets the source in; true where none is needed. */
function matchFirewall({ firewall, resource }: ResourcePolicy, source: Source): StageMatch {
  const rule = source.address === undefined ? -1 : firewall.addresses.match(source.address)
  if (rule === -1) return firewall.defaultAction === 'Allow'
  return resource?.firewall?.ipRules[rule]?.text ?? false
}
