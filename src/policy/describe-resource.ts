import type { Guid } from '../perimeter/guid.ts'
import type { Direction } from '../perimeter/perimeter.ts'
import type { CompiledAssociation, PolicySnapshot, ResourcePolicy } from './snapshot.ts'

/** Facts about a protected resource in words, for explanations. */

/** Where it is: in which perimeter, or in none. */
export function describeAssociation({ association }: ResourcePolicy): string {
  if (association === undefined) return 'no perimeter associates it'
  const { perimeter, profile } = association
  return `the perimeter \`${perimeter.perimeter.name}\` associates it, with the profile \`${profile.name}\``
}

/** The two settings that decide where no rule does. */
export function describeModes({ association, publicNetworkAccess }: ResourcePolicy): string {
  const access = `publicNetworkAccess is ${publicNetworkAccess}`
  return association === undefined
    ? access
    : `the access mode is ${association.accessMode}, ${access}`
}

/** `the profile `web` has 3 outbound rules`. */
export function describeRules(association: CompiledAssociation, direction: Direction): string {
  const { profile } = association
  const count = profile.rules.count(direction)
  const plural = count === 1 ? '' : 's'
  const number = count === 0 ? 'no' : count
  return `the profile \`${profile.name}\` has ${number} ${direction.toLowerCase()} rule${plural}`
}

/** The perimeters of the snapshot by name; GUIDs that no document here declares as they are. */
export function namePerimeters(guids: Iterable<Guid>, snapshot: PolicySnapshot): string {
  const names = [...guids].map(
    (guid) => snapshot.perimetersByGuid.get(guid)?.perimeter.name ?? guid,
  )
  return names.length === 0 ? 'no perimeter' : list(names)
}

/** Names in backticks, or `none`. */
export function list(items: readonly string[]): string {
  return items.length === 0 ? 'none' : items.map((item) => `\`${item}\``).join(', ')
}
