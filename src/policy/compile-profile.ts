import type { Profile } from '../perimeter/perimeter.ts'
import { compileAddressTable } from './address-set.ts'
import type { Arena } from './arena.ts'
import type { ProfileTables } from './compiled-policy.ts'
import { compileNameTable, type NameKey } from './name-set.ts'
import type { AddressEntry } from './prefix-intervals.ts'
import { RuleTextWriter } from './rule-table.ts'

/** Profiles compare by name without regard to case, as everything in a resource id does. */
export function profileKey(name: string): string {
  return name.toLowerCase()
}

/**
 * Compiles a profile's rules into tables that tell which rule matched. Elements count only in rules of their direction:
 * an outbound rule lets no address in, whatever it lists.
 */
export function compileProfile(
  profile: Profile,
  given: Pick<ProfileTables, 'linkedPerimeters' | 'accessRulesVersion'> & { readonly arena: Arena },
): ProfileTables {
  const { arena, accessRulesVersion, linkedPerimeters } = given
  const rules = new RuleTextWriter()
  const addresses: AddressEntry[] = []
  const names: NameKey[] = []
  const subscriptions: NameKey[] = []
  for (const [rule, accessRule] of profile.accessRules.entries()) {
    rules.rule(accessRule.direction, accessRule.name)
    switch (accessRule.direction) {
      case 'Inbound':
        for (const prefix of accessRule.addressPrefixes) {
          rules.element('addressPrefixes', prefix.text)
          addresses.push({ prefix, rule })
        }
        for (const guid of accessRule.subscriptions) {
          const start = rules.element('subscriptions', guid)
          subscriptions.push({ start, length: guid.length, rule })
        }
        for (const { name, addressPrefixes } of accessRule.serviceTags ?? []) {
          rules.element('serviceTags', name)
          for (const prefix of addressPrefixes) addresses.push({ prefix, rule })
        }
        break
      case 'Outbound':
        for (const pattern of accessRule.fullyQualifiedDomainNames) {
          const star = pattern.startsWith('*') ? 1 : 0
          const start = rules.element('fullyQualifiedDomainNames', pattern) + star
          names.push({ start, length: pattern.length - star, rule })
        }
        break
    }
  }
  const { text } = rules
  return {
    name: profile.name,
    accessRulesVersion,
    linkedPerimeters,
    rules: rules.finish(arena),
    addresses: compileAddressTable(addresses, arena),
    subscriptions: compileNameTable(subscriptions, { text, arena }),
    names: compileNameTable(names, { text, arena }),
  }
}
