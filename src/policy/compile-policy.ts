import type { Perimeter } from '../perimeter/perimeter.ts'
import type { Resource } from '../perimeter/resource.ts'
import { compileAddressTable } from './address-set.ts'
import type { Arena } from './arena.ts'
import { compileLinks } from './compile-links.ts'
import { compileProfile } from './compile-profile.ts'
import type { CompiledPolicy, PerimeterTables, ResourceTables } from './compiled-policy.ts'
import type { PolicyInput } from './policy-input.ts'
import { versionPolicy } from './policy-version.ts'

/**
 * Compiles the policy into tables, which lie in the arena, and the few facts beside them, which are kept by reference
 * and must not change any more. The work grows with the number of rules; `openPolicy` makes a snapshot of it at once.
 *
 * @throws PerimeterError `RF_POLICY` where the arena has no room, or where a rule's name is none.
 */
export function compilePolicy(input: PolicyInput, arena: Arena): CompiledPolicy {
  const links = compileLinks(input.perimeters, input.autoApprove)
  const { version, accessRulesVersions } = versionPolicy(input)
  const compilePerimeter = (perimeter: Perimeter): PerimeterTables => {
    const { profiles, ...facts } = perimeter
    return {
      facts,
      profiles: profiles.map((profile) =>
        compileProfile(profile, {
          linkedPerimeters: links.reaching(perimeter, profile),
          accessRulesVersion: accessRulesVersions.get(profile) ?? '',
          arena,
        }),
      ),
    }
  }
  const compileResource = (resource: Resource): ResourceTables => {
    const ipRules = resource.firewall?.ipRules ?? []
    const entries = ipRules.map((prefix, rule) => ({ prefix, rule }))
    return { resource, firewall: compileAddressTable(entries, arena) }
  }
  return {
    version,
    epoch: arena.epoch,
    perimeters: input.perimeters.map(compilePerimeter),
    resources: input.resources.map(compileResource),
    egressPorts: input.egressPorts,
  }
}
