import type { Guid } from '../perimeter/guid.ts'
import { defaultPerimeterGuid } from '../perimeter/perimeter-guid.ts'
import type { Perimeter, Profile, ProfileSelection } from '../perimeter/perimeter.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import { profileKey } from './compile-profile.ts'

/** What approved links let in. */
export interface LinkedPerimeters {
  /** GUIDs of the perimeters whose members may reach the resources of this profile. */
  reaching(perimeter: Perimeter, profile: Profile): ReadonlySet<Guid>
}

/** A perimeter let into some profiles. */
interface Grant {
  readonly from: Guid
  readonly profiles: ProfileSelection
}

/**
 * Finds the links that count and whom they let in where. A link of X to Y counts only while approved: Y's documents
 * hold an approved reference to X, or settings list X in `links.autoApprove` (NSP docs, perimeter links). Then Y's
 * members reach X's profiles that the link names, and X's members reach Y's profiles that the reference names. Where
 * only auto-approval consents, the link names those too; Y may then be unknown here, and has its default GUID.
 */
export function compileLinks(
  perimeters: readonly Perimeter[],
  autoApprove: readonly ResourceId[],
): LinkedPerimeters {
  const byId = new Map(perimeters.map((perimeter) => [perimeter.id.key, perimeter]))
  const autoApproved = new Set(autoApprove.map(({ key }) => key))
  const grants = new Map<string, Grant[]>()
  const grant = (to: ResourceId, given: Grant): void => {
    const held = grants.get(to.key)
    if (held === undefined) grants.set(to.key, [given])
    else held.push(given)
  }

  for (const local of perimeters) {
    for (const link of local.links) {
      const remote = byId.get(link.remotePerimeter.key)
      const consent = findConsent(local, remote)
      if (consent === undefined && !autoApproved.has(local.id.key)) continue
      const remoteGuid = remote?.guid ?? defaultPerimeterGuid(link.remotePerimeter)
      grant(local.id, { from: remoteGuid, profiles: link.localInboundProfiles })
      for (const profiles of consent ?? [link.remoteInboundProfiles]) {
        grant(link.remotePerimeter, { from: local.guid, profiles })
      }
    }
  }

  return {
    reaching: (perimeter, profile) =>
      new Set(
        (grants.get(perimeter.id.key) ?? [])
          .filter(({ profiles }) => selects(profiles, profile))
          .map(({ from }) => from),
      ),
  }
}

/** The profiles that the other side's approved references open; undefined where it has none. */
function findConsent(
  local: Perimeter,
  remote: Perimeter | undefined,
): readonly ProfileSelection[] | undefined {
  const approved = remote?.linkReferences.filter(
    ({ remotePerimeter, status }) => remotePerimeter.key === local.id.key && status === 'Approved',
  )
  if (approved === undefined || approved.length === 0) return undefined
  return approved.map(({ localInboundProfiles }) => localInboundProfiles)
}

/** `*` alone is all; absent and empty are none. */
function selects(selection: ProfileSelection, profile: Profile): boolean {
  if (selection.length === 1 && selection[0] === '*') return true
  const key = profileKey(profile.name)
  return selection.some((name) => profileKey(name) === key)
}
