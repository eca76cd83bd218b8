import { adviseAssociation, adviseLink, adviseRule, describePlace, formatRule } from './advise.ts'
import {
  describeAssociation,
  describeModes,
  describeRules,
  list,
  namePerimeters,
} from './describe-resource.ts'
import { evaluateInbound, inboundTable, type InboundRow } from './evaluate-inbound.ts'
import { type Advice, type Explanation, explainStages, type StageFacts } from './explain.ts'
import type { InboundRequest, Source } from './request.ts'
import type { PolicySnapshot } from './snapshot.ts'

/** Explains what `evaluateInbound` answers, stage by stage. Never throws for what that one decides. */
export function explainInbound(snapshot: PolicySnapshot, request: InboundRequest): Explanation {
  const decision = evaluateInbound(snapshot, request)
  return {
    decision,
    stages: explainStages({ ...inboundTable, facts }, snapshot, request),
    advice: decision.enforcedEffect === 'allow' ? [] : advise(request, snapshot),
  }
}

function describeModesOnly({ resource }: InboundRequest): string {
  return describeModes(resource)
}

function describeUnassociated({ resource }: InboundRequest): string {
  return `${describeAssociation(resource)}; ${describeModes(resource)}`
}

function describeFirewall({ resource }: InboundRequest): string {
  const { defaultAction } = resource.firewall
  const own = resource.resource?.firewall
  if (own === undefined) return 'the resource has no `firewall`, which lets everyone in'
  const prefixes = list(own.ipRules.map(({ text }) => text))
  return `the firewall's defaultAction is ${defaultAction}, its ipRules are ${prefixes}`
}

const facts: StageFacts<InboundRow, InboundRequest> = {
  1: ({ network }) => `it arrives over the ${network} network`,
  '2a': describeUnassociated,
  '2b': describeUnassociated,
  '2c': (request) =>
    request.resource.association === undefined
      ? describeFirewall(request)
      : describeAssociation(request.resource),
  3: ({ resource, source }, snapshot) =>
    `${describeAssociation(resource)}; the caller is a member of ${namePerimeters(source.perimeters, snapshot)}`,
  4: ({ resource, source }, snapshot) => {
    const linked = resource.association?.profile.linkedPerimeters ?? []
    const member = namePerimeters(source.perimeters, snapshot)
    return `approved links let in ${namePerimeters(linked, snapshot)}; the caller is a member of ${member}`
  },
  5: ({ resource, source }) =>
    resource.association === undefined
      ? describeAssociation(resource)
      : `${describeRules(resource.association, 'Inbound')}, the caller is ${describeSource(source)}`,
  '6a': describeModesOnly,
  '6b': describeModesOnly,
  '6c': describeModesOnly,
  '6d': describeFirewall,
}

function describeSource(source: Source): string {
  const address = source.address?.text ?? 'without an address'
  return source.subscriptions.length === 0
    ? `${address}, of no subscription`
    : `${address}, of the subscriptions ${list(source.subscriptions)}`
}

/** Whoever gets here is denied, or would be in Enforced mode. */
function advise({ resource, source }: InboundRequest, snapshot: PolicySnapshot): readonly Advice[] {
  const advice: Advice[] = []
  const { association } = resource
  if (association === undefined) {
    advice.push(adviseAssociation(resource))
    if (source.address !== undefined && resource.publicNetworkAccess === 'Enabled') {
      advice.push({
        text: `to let the address in without a perimeter, add it to the firewall of \`${resource.id.name}\` in settings`,
        yaml: ['firewall:', `  ipRules: ["${source.address.text}"]`],
      })
    }
    return advice
  }
  const place = describePlace(association)
  if (source.address !== undefined) {
    const { text, bytes } = source.address
    const element = `addressPrefixes: ["${text}/${bytes.length * 8}"]`
    advice.push(
      adviseRule(
        `to let the address in, add to ${place}`,
        formatRule({ name: `from-${text}`, direction: 'Inbound', element }),
      ),
    )
  }
  for (const subscription of source.subscriptions) {
    const element = `subscriptions: [{ id: /subscriptions/${subscription} }]`
    advice.push(
      adviseRule(
        `to let every caller of the subscription in, add to ${place}`,
        formatRule({ name: `from-${subscription}`, direction: 'Inbound', element }),
      ),
    )
  }
  for (const guid of source.perimeters) {
    const caller = snapshot.perimetersByGuid.get(guid)?.perimeter
    advice.push(adviseLink({ owner: association, caller }))
  }
  return advice
}
