import { createHash } from 'node:crypto'
import type { PolicyInput } from '../../src/policy/policy-input.ts'

/**
 * The decision a second time, from the design's text alone: linear scans over the declared policy, text for bits, no
 * code of the product. What it lacks in speed it has in being obvious.
 */

export type ReferenceRequest = { readonly resource: string } & (
  | {
      readonly direction: 'Inbound'
      readonly network: 'public' | 'private'
      readonly ip: Uint8Array | undefined
      readonly subscriptions: readonly string[]
      readonly perimeters: readonly string[]
    }
  /** `name` undefined: an address literal. */
  | { readonly direction: 'Outbound'; readonly name: string | undefined; readonly port: number }
)

export function decideByReference(policy: PolicyInput, request: ReferenceRequest) {
  const x = policy.perimeters.find((perimeter) =>
    perimeter.associations.some((one) => one.resourceId.key === request.resource),
  )
  const membership = x?.associations.find((one) => one.resourceId.key === request.resource)
  const known = policy.resources.find((one) => one.id.key === request.resource)
  const mode = membership?.accessMode
  const access = known?.publicNetworkAccess ?? (x === undefined ? 'SecuredByPerimeter' : 'Enabled')
  const rules = x?.profiles.find((one) => one.name === membership?.profile)?.accessRules ?? []
  const say = (
    effect: string,
    reason: string,
    category: string,
    more: { rule?: string | undefined; trafficType?: string; enforcedEffect?: string } = {},
  ) => ({
    effect,
    reason,
    category,
    rule: more.rule,
    trafficType: more.trafficType ?? 'Public',
    enforcedEffect: more.enforcedEffect ?? effect,
  })
  const wouldDeny = { enforcedEffect: 'deny' }

  if (request.direction === 'Outbound') {
    const nsp = 'NspPublicOutbound'
    if (x === undefined && access === 'SecuredByPerimeter')
      return say('deny', 'locked-down', `${nsp}PerimeterRulesDenied`)
    if (x === undefined) return say('allow', 'not-associated', `${nsp}ResourceRulesAllowed`)
    const target = policy.resources.find((one) => one.hosts.some((host) => host === request.name))
    const y = policy.perimeters.find((perimeter) =>
      perimeter.associations.some((one) => one.resourceId.key === target?.id.key),
    )
    if (y?.id.key === x.id.key)
      return say('allow', 'same-perimeter', 'NspOutboundAttempt', { trafficType: 'Intra' })
    const profile = y?.associations.find((one) => one.resourceId.key === target?.id.key)?.profile
    if (
      y !== undefined &&
      profile !== undefined &&
      linkedTo(policy, y.id.key, profile).includes(x.guid)
    ) {
      return say('allow', 'linked-perimeter', 'NspCrossPerimeterOutboundAllowed', {
        trafficType: 'Cross',
      })
    }
    const rule = rules.find(
      (one) =>
        one.direction === 'Outbound' &&
        one.fullyQualifiedDomainNames.some((fqdn) =>
          fqdn.startsWith('*.')
            ? request.name?.endsWith(fqdn.slice(1)) === true
            : request.name === fqdn,
        ),
    )
    const portFits = policy.egressPorts.includes(request.port)
    if (rule !== undefined && portFits)
      return say('allow', 'access-rule', `${nsp}PerimeterRulesAllowed`, { rule: rule.name })
    if (mode === 'Audit' && access !== 'SecuredByPerimeter')
      return say('allow', 'audit-mode', `${nsp}ResourceRulesAllowed`, wouldDeny)
    if (mode === 'Enforced' || access === 'SecuredByPerimeter')
      return say(
        'deny',
        rule === undefined ? 'no-matching-rule' : 'port-not-allowed',
        `${nsp}PerimeterRulesDenied`,
      )
    return say('allow', 'learning-mode', `${nsp}ResourceRulesAllowed`, wouldDeny)
  }

  const nsp = 'NspPublicInbound'
  const ipRule = known?.firewall?.ipRules.find((prefix) => covers(prefix, request.ip))
  const open = ipRule !== undefined || known?.firewall?.defaultAction !== 'Deny'
  const own = { rule: ipRule?.text }
  if (request.network === 'private')
    return say('allow', 'private-endpoint', 'NspPrivateInboundAllowed', { trafficType: 'Private' })
  if (x === undefined || membership === undefined) {
    if (access === 'SecuredByPerimeter')
      return say('deny', 'locked-down', `${nsp}PerimeterRulesDenied`)
    if (access === 'Disabled')
      return say('deny', 'public-access-disabled', `${nsp}ResourceRulesDenied`)
    return open
      ? say('allow', 'resource-rules', `${nsp}ResourceRulesAllowed`, own)
      : say('deny', 'resource-rules', `${nsp}ResourceRulesDenied`)
  }
  if (request.perimeters.includes(x.guid))
    return say('allow', 'same-perimeter', 'NspIntraPerimeterInboundAllowed', {
      trafficType: 'Intra',
    })
  const linked = linkedTo(policy, x.id.key, membership.profile)
  if (request.perimeters.some((one) => linked.includes(one)))
    return say('allow', 'linked-perimeter', 'NspCrossPerimeterInboundAllowed', {
      trafficType: 'Cross',
    })
  const rule = rules.find(
    (one) =>
      one.direction === 'Inbound' &&
      (one.addressPrefixes.some((prefix) => covers(prefix, request.ip)) ||
        one.subscriptions.some((id) => request.subscriptions.includes(id)) ||
        (one.serviceTags ?? []).some((tag) =>
          tag.addressPrefixes.some((prefix) => covers(prefix, request.ip)),
        )),
  )
  if (rule !== undefined)
    return say('allow', 'access-rule', `${nsp}PerimeterRulesAllowed`, { rule: rule.name })
  if (mode === 'Audit' && access === 'Enabled')
    return say('allow', 'audit-mode', `${nsp}ResourceRulesAllowed`, wouldDeny)
  if (mode === 'Enforced' || access === 'SecuredByPerimeter')
    return say('deny', 'no-matching-rule', `${nsp}PerimeterRulesDenied`)
  if (access === 'Disabled') return say('deny', 'no-matching-rule', `${nsp}ResourceRulesDenied`)
  return open
    ? say('allow', 'resource-rules', `${nsp}ResourceRulesAllowed`, { ...own, ...wouldDeny })
    : say('deny', 'resource-rules', `${nsp}ResourceRulesDenied`)
}

/** GUIDs of the perimeters whose members an approved link lets into this profile of this perimeter. */
function linkedTo(policy: PolicyInput, key: string, profile: string): string[] {
  const names = (selection: readonly string[]): boolean =>
    selection.join() === '*' || selection.includes(profile)
  const linked: string[] = []
  for (const x of policy.perimeters) {
    for (const link of x.links) {
      const y = policy.perimeters.find((one) => one.id.key === link.remotePerimeter.key)
      const consents = (y?.linkReferences ?? []).filter(
        (one) => one.remotePerimeter.key === x.id.key && one.status === 'Approved',
      )
      const automatic = policy.autoApprove.some((one) => one.key === x.id.key)
      if (consents.length === 0 && !automatic) continue
      if (x.id.key === key && names(link.localInboundProfiles))
        linked.push(y?.guid ?? uuid5(link.remotePerimeter.key))
      const opened =
        consents.length > 0
          ? consents.map((one) => one.localInboundProfiles)
          : [link.remoteInboundProfiles]
      if (y?.id.key === key && opened.some(names)) linked.push(x.guid)
    }
  }
  return linked
}

function covers(
  prefix: { readonly bytes: Uint8Array; readonly length: number },
  ip: Uint8Array | undefined,
): boolean {
  const bits = (bytes: Uint8Array): string =>
    [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (
    ip !== undefined &&
    ip.length === prefix.bytes.length &&
    bits(ip).startsWith(bits(prefix.bytes).slice(0, prefix.length))
  )
}

function uuid5(name: string): string {
  const hex = createHash('sha1')
    .update(Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex'))
    .update(name)
    .digest('hex')
  const variant = ((parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
