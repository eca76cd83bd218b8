import type { Guid } from '../perimeter/guid.ts'
import type { Profile } from '../perimeter/perimeter.ts'
import { compileAddressSet } from './address-set.ts'
import { compileNameSet, type NameEntry } from './name-set.ts'
import type { AddressEntry } from './prefix-intervals.ts'
import type { CompiledProfile } from './snapshot.ts'

/** Profiles compare by name without regard to case, as everything in a resource id does. */
export function profileKey(name: string): string {
  return name.toLowerCase()
}

/**
 * Compiles a profile's rules into sets that tell which rule matched. Elements count only in rules of their direction:
 * an outbound rule lets no address in, whatever it lists.
 */
export function compileProfile(
  profile: Profile,
  given: Pick<CompiledProfile, 'linkedPerimeters' | 'accessRulesVersion'>,
): CompiledProfile {
  const addresses: AddressEntry[] = []
  const names: NameEntry[] = []
  const subscriptions = new Map<Guid, number>()
  for (const [rule, accessRule] of profile.accessRules.entries()) {
    switch (accessRule.direction) {
      case 'Inbound':
        for (const prefix of accessRule.addressPrefixes) addresses.push({ prefix, rule })
        for (const guid of accessRule.subscriptions) {
          if (!subscriptions.has(guid)) subscriptions.set(guid, rule)
        }
        break
      case 'Outbound':
        for (const pattern of accessRule.fullyQualifiedDomainNames) names.push({ pattern, rule })
        break
    }
  }
  return Object.freeze({
    name: profile.name,
    accessRulesVersion: given.accessRulesVersion,
    ruleNames: profile.accessRules.map(({ name }) => name),
    addresses: compileAddressSet(addresses),
    subscriptions,
    names: compileNameSet(names),
    linkedPerimeters: given.linkedPerimeters,
  })
}
