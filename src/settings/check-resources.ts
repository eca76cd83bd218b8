import type { Findings } from '../documents/findings.ts'
import type { Placed } from '../documents/placed.ts'
import { personalData } from '../perimeter/personal-data.ts'
import { quote } from '../perimeter/quote.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { InboundListener } from './settings.ts'

const noListener =
  'no client reaches this back end: no inbound listener serves one of its `hosts` or names the resource'

const noTcpListener =
  'a `tcp:` back end needs an inbound listener of its own, with the resource as its `resource`: bytes have no Host to choose by'

/** What the resources mean beside the listeners. */
export function checkResources(
  resources: readonly Placed<Resource>[],
  context: { readonly inbound: readonly InboundListener[]; readonly findings: Findings },
): void {
  const { inbound, findings } = context
  for (const { value, path } of resources) {
    const { backend, endpoint, firewall, hosts, id } = value
    const isTcp = backend?.scheme === 'tcp'
    const isServed = inbound.some(
      ({ resource, protocol }) =>
        resource?.key === id.key ||
        (protocol === 'http' && resource === undefined && hosts.length > 0 && !isTcp),
    )
    if (backend !== undefined && !isServed && !findings.foundWithin(['inbound'])) {
      const place = [...path, 'backend']
      if (isTcp) findings.error(place, noTcpListener, 'key')
      else findings.warning(place, noListener, 'key')
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
    const hasSender = inbound.some(({ proxyProtocol }) => proxyProtocol !== undefined)
    if (value.privateEndpoints !== undefined && !hasSender) {
      findings.warning(
        [...path, 'privateEndpoints'],
        'nobody arrives over them: no inbound listener has a `proxyProtocol`, which says the link id',
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
