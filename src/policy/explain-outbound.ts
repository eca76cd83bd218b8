import { formatHost } from '../wire/authority.ts'
import {
  adviseAssociation,
  adviseLink,
  adviseRule,
  describePlace,
  formatNameRule,
} from './advise.ts'
import {
  describeAssociation,
  describeModes,
  describeRules,
  list,
  namePerimeters,
} from './describe-resource.ts'
import { evaluateOutbound, outboundTable, type OutboundRow } from './evaluate-outbound.ts'
import { type Advice, type Explanation, explainStages, type StageFacts } from './explain.ts'
import type { OutboundRequest } from './request.ts'
import type { PolicySnapshot, ResourcePolicy } from './snapshot.ts'

/** Explains what `evaluateOutbound` answers, stage by stage. Never throws for what that one decides. */
export function explainOutbound(snapshot: PolicySnapshot, request: OutboundRequest): Explanation {
  const decision = evaluateOutbound(snapshot, request)
  return {
    decision,
    stages: explainStages({ ...outboundTable, facts }, snapshot, request),
    advice: decision.enforcedEffect === 'allow' ? [] : advise(request, snapshot),
  }
}

function describeUnassociated({ resource }: OutboundRequest): string {
  return `${describeAssociation(resource)}; ${describeModes(resource)}`
}

function describeModesOnly({ resource }: OutboundRequest): string {
  return describeModes(resource)
}

const facts: StageFacts<OutboundRow, OutboundRequest> = {
  '1a': describeUnassociated,
  '1b': describeUnassociated,
  2: (request, snapshot) =>
    `${describeOwner(request, snapshot)}; ${describeAssociation(request.resource)}`,
  3: (request, snapshot) => {
    const owner = findOwner(request, snapshot)
    if (owner?.association === undefined) return describeOwner(request, snapshot)
    const { profile } = owner.association
    const linked = namePerimeters(profile.linkedPerimeters, snapshot)
    return `approved links let into its profile \`${profile.name}\`: ${linked}`
  },
  4: (request, snapshot) => `${describeOwnRules(request)}; ${describePort(request, snapshot)}`,
  '5a': describeModesOnly,
  '5b': (request, snapshot) => `${describeModesOnly(request)}; ${describePort(request, snapshot)}`,
  '5c': describeModesOnly,
}

function findOwner(
  { destination }: OutboundRequest,
  snapshot: PolicySnapshot,
): ResourcePolicy | undefined {
  return destination.host.kind === 'name'
    ? snapshot.resourcesByHost.get(destination.host.name)
    : undefined
}

function describeOwner(request: OutboundRequest, snapshot: PolicySnapshot): string {
  const owner = findOwner(request, snapshot)
  const host = formatHost(request.destination.host)
  if (owner === undefined) return `no resource of settings has the host \`${host}\``
  const place =
    owner.association === undefined
      ? 'in no perimeter'
      : `in the perimeter \`${owner.association.perimeter.perimeter.name}\``
  return `\`${host}\` is a host of \`${owner.id.name}\`, ${place}`
}

function describeOwnRules({ resource, destination }: OutboundRequest): string {
  if (destination.host.kind === 'address') return 'an address matches no FQDN rule'
  return resource.association === undefined
    ? describeAssociation(resource)
    : describeRules(resource.association, 'Outbound')
}

function describePort({ destination }: OutboundRequest, { egressPorts }: PolicySnapshot): string {
  const ports = list([...egressPorts].map(String))
  return `the port is ${destination.port}, egress.ports are ${ports}`
}

/** Whatever gets here is denied, or would be in Enforced mode. */
function advise(request: OutboundRequest, snapshot: PolicySnapshot): readonly Advice[] {
  const { resource, destination } = request
  const { association } = resource
  if (association === undefined) return [adviseAssociation(resource)]
  if (destination.host.kind === 'address') {
    return [
      { text: 'let the workload ask for a name: no access rule can name an address', yaml: [] },
    ]
  }
  const { name } = destination.host
  const advice: Advice[] = []
  const owner = findOwner(request, snapshot)
  if (owner?.association !== undefined) {
    const caller = association.perimeter.perimeter
    advice.push(adviseLink({ owner: owner.association, caller }))
  }
  if (association.profile.names.match(name) === -1) {
    advice.push(
      adviseRule(`to let the name out, add to ${describePlace(association)}`, formatNameRule(name)),
    )
  }
  if (!snapshot.egressPorts.has(destination.port)) {
    const ports = [...snapshot.egressPorts, destination.port].join(', ')
    advice.push({
      text: `FQDN rules do not cover port ${destination.port}: add it in settings, for the rules of all resources`,
      yaml: ['egress:', `  ports: [${ports}]`],
    })
  }
  return advice
}
