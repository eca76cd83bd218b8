import type { Findings } from '../documents/findings.ts'
import type { Placed } from '../documents/placed.ts'
import { personalData } from '../perimeter/personal-data.ts'
import { quote } from '../perimeter/quote.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { InboundListener } from './settings.ts'

/** What the resources mean beside the listeners. */
export function checkResources(
  resources: readonly Placed<Resource>[],
  context: { readonly inbound: readonly InboundListener[]; readonly findings: Findings },
): void {
  const { inbound, findings } = context
  for (const { value, path } of resources) {
    const { backend, endpoint, firewall, hosts, id } = value
    if (backend?.scheme === 'tcp') {
      findings.error(
        [...path, 'backend'],
        'inbound listeners speak HTTP and cannot forward to a `tcp:` back end yet; write `http:` or `https:`',
      )
    }
    const isServed = inbound.some(
      ({ resource }) => resource?.key === id.key || (resource === undefined && hosts.length > 0),
    )
    if (backend !== undefined && !isServed && !findings.foundWithin(['inbound'])) {
      findings.warning(
        [...path, 'backend'],
        'no client reaches this back end: no inbound listener serves one of its `hosts` or names the resource',
        'key',
      )
    }
    if (endpoint !== undefined && hosts.length === 0) {
      findings.warning(
        [...path, 'endpoint'],
        'no member reaches this peer: it has no `hosts` to ask for',
        'key',
      )
    }
    if (firewall?.defaultAction === 'Allow' && firewall.ipRules.length > 0) {
      findings.warning(
        [...path, 'firewall', 'ipRules'],
        'these rules change nothing, because `defaultAction` lets everyone in',
        'key',
      )
    }
    const personal = personalData(id.name)
    if (personal !== undefined) {
      findings.warning(
        [...path, 'id'],
        `the name ${quote(id.name)} ${personal}; names are printed in logs and should hold no personal data`,
      )
    }
  }
}
