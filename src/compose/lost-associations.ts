import type { PolicySnapshot, ResourcePolicy } from '../policy/snapshot.ts'

/** What a policy declared and its successor does not: perimeters first, then members. */
export function describeLost(
  before: PolicySnapshot | undefined,
  after: PolicySnapshot,
): readonly string[] {
  return [...describeLostPerimeters(before, after), ...describeLostAssociations(before, after)]
}

/** A GUID may change; a perimeter is lost with its ID. */
function describeLostPerimeters(
  before: PolicySnapshot | undefined,
  after: PolicySnapshot,
): readonly string[] {
  const idsAfter = new Set([...after.perimetersByGuid.values()].map((one) => one.perimeter.id.key))
  return [...(before?.perimetersByGuid.values() ?? [])]
    .filter(({ perimeter }) => !idsAfter.has(perimeter.id.key))
    .map(
      ({ perimeter }) =>
        `the perimeter \`${perimeter.name}\` is declared no more: its rules and links decide nothing`,
    )
}

/**
 * Says which resources were in a perimeter and are in none any more, one line each, and what decides about them now. It
 * may be meant; where a file was only moved away, nothing else would say so.
 */
export function describeLostAssociations(
  before: PolicySnapshot | undefined,
  after: PolicySnapshot,
): readonly string[] {
  if (before === undefined) return []
  return [...before.resources.values()].flatMap(({ id, association }) => {
    const now = after.resources.get(id.key)
    if (association === undefined || now?.association !== undefined) return []
    const was = `\`${id.name}\` is no longer in the perimeter \`${association.perimeter.perimeter.name}\``
    return [`${was}: ${describeRest(now)}`]
  })
}

function describeRest(now: ResourcePolicy | undefined): string {
  switch (now?.publicNetworkAccess) {
    case undefined:
      return 'settings do not know it, so nothing reaches it'
    case 'SecuredByPerimeter':
      return 'it is locked, in and out'
    case 'Disabled':
      return 'nobody gets in, everything gets out'
    case 'Enabled':
      return 'its own firewall alone decides who gets in, everything gets out'
  }
}
