import type { LoadedPerimeter } from './read-perimeter.ts'

/** Limits of Azure's own service (NSP docs, limits). Ringfence has none of them. */
const limits = {
  perimetersPerSubscription: 100,
  profiles: 200,
  elementsPerDirection: 200,
  associations: 1000,
  links: 10,
  associatedNameLength: 44,
} as const

/** Warns where a perimeter would not fit into Azure. */
export function warnOfAzureLimits(loaded: readonly LoadedPerimeter[]): void {
  const bySubscription = new Map<string, number>()
  for (const { perimeter, findings, associations } of loaded) {
    const subscription = perimeter.id.subscriptionId
    const inSubscription = (bySubscription.get(subscription) ?? 0) + 1
    bySubscription.set(subscription, inSubscription)
    const warn = (count: number, limit: number, what: { path: string[]; words: string }) => {
      if (count <= limit) return
      findings.warning(what.path, `Azure allows ${limit} ${what.words}, and these are ${count}`)
    }
    warn(inSubscription, limits.perimetersPerSubscription, {
      path: ['name'],
      words: 'perimeters in a subscription',
    })
    warn(perimeter.profiles.length, limits.profiles, { path: ['profiles'], words: 'profiles' })
    warn(perimeter.associations.length, limits.associations, {
      path: ['resourceAssociations'],
      words: 'resources in a perimeter',
    })
    warn(perimeter.links.length, limits.links, { path: ['links'], words: 'links' })
    warnOfElements(perimeter.profiles, findings)
    for (const { value, path } of associations) {
      if (value.resourceId.name.length <= limits.associatedNameLength) continue
      findings.warning(
        [...path, 'privateLinkResource', 'id'],
        `Azure names an association after its resource, whose name then has at most ${limits.associatedNameLength} characters`,
      )
    }
  }
}

function warnOfElements(
  profiles: LoadedPerimeter['perimeter']['profiles'],
  findings: LoadedPerimeter['findings'],
): void {
  for (const [index, { accessRules }] of profiles.entries()) {
    const inbound = accessRules.reduce(
      (sum, { addressPrefixes, subscriptions, serviceTags = [] }) =>
        sum + addressPrefixes.length + subscriptions.length + serviceTags.length,
      0,
    )
    const outbound = accessRules.reduce(
      (sum, rule) => sum + rule.fullyQualifiedDomainNames.length,
      0,
    )
    for (const [direction, elements] of Object.entries({ inbound, outbound })) {
      if (elements <= limits.elementsPerDirection) continue
      findings.warning(
        ['profiles', index, 'accessRules'],
        `Azure allows ${limits.elementsPerDirection} ${direction} elements in a profile, and these are ${elements}`,
      )
    }
  }
}
