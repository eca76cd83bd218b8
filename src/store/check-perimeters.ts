import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { KnownResources } from './perimeter-context.ts'
import type { LoadedPerimeter } from './read-perimeter.ts'

export interface TogetherOptions {
  readonly resources: KnownResources
  /** Perimeters whose links count without a reference. */
  readonly autoApprove: readonly ResourceId[]
}

/** What perimeters mean together: identities that occur once, members of one perimeter only, links that count. */
export function checkPerimeters(
  loaded: readonly LoadedPerimeter[],
  options: TogetherOptions,
): void {
  checkIdentities(loaded)
  checkMembers(loaded, options)
  const byId = new Map(loaded.map((one) => [one.perimeter.id.key, one]))
  const autoApproved = new Set(options.autoApprove.map(({ key }) => key))
  for (const one of loaded) {
    checkLinks(one, { byId, isAutoApproved: autoApproved.has(one.perimeter.id.key) })
    checkReferences(one, byId)
  }
}

interface FirstUse {
  readonly findings: Findings
  readonly path: Path
}

function checkIdentities(loaded: readonly LoadedPerimeter[]): void {
  const ids = new Map<string, FirstUse>()
  const guids = new Map<string, FirstUse>()
  for (const { perimeter, findings } of loaded) {
    const { id, guid, name } = perimeter
    const sameId = ids.get(id.key)
    const sameGuid = guids.get(guid)
    if (sameId !== undefined) {
      findings.error(
        ['name'],
        `the perimeter ${quote(name)} is declared twice, first in ${placeOf(sameId)}`,
      )
    } else if (sameGuid !== undefined) {
      findings.error(
        ['perimeterGuid'],
        `the GUID ${quote(guid)} already belongs to the perimeter in ${placeOf(sameGuid)}; every perimeter has its own`,
      )
    }
    if (sameId === undefined) ids.set(id.key, { findings, path: ['name'] })
    if (sameGuid === undefined) guids.set(guid, { findings, path: ['name'] })
  }
}

function checkMembers(loaded: readonly LoadedPerimeter[], options: TogetherOptions): void {
  const { ids, areAll } = options.resources
  const known = new Set(ids.map(({ key }) => key))
  const members = new Map<string, FirstUse & { readonly perimeter: string }>()
  for (const { perimeter, findings, associations } of loaded) {
    for (const { value, path } of associations) {
      const { resourceId } = value
      const idPath = [...path, 'privateLinkResource', 'id']
      const first = members.get(resourceId.key)
      if (first !== undefined) {
        const where =
          first.perimeter === perimeter.id.key ? 'twice in this perimeter' : 'in two perimeters'
        findings.error(
          idPath,
          `the resource ${quote(resourceId.name)} is ${where}, first in ${placeOf(first)}; it may be in one, once`,
        )
        continue
      }
      members.set(resourceId.key, { findings, path: idPath, perimeter: perimeter.id.key })
      if (!areAll || known.has(resourceId.key)) continue
      findings.warning(
        idPath,
        `the resource ${quote(resourceId.name)} is not in settings: this instance neither fronts it nor speaks for it`,
      )
    }
  }
}

interface LinkContext {
  readonly byId: ReadonlyMap<string, LoadedPerimeter>
  readonly isAutoApproved: boolean
}

function checkLinks({ perimeter, findings, links }: LoadedPerimeter, context: LinkContext): void {
  for (const { value, path } of links) {
    const { remotePerimeter, localInboundProfiles, remoteInboundProfiles } = value
    const remote = context.byId.get(remotePerimeter.key)
    const reference = remote?.perimeter.linkReferences.find(
      (candidate) => candidate.remotePerimeter.key === perimeter.id.key,
    )
    const remotePath = [...path, 'autoApprovedRemotePerimeterResourceId']
    const isApproved = reference?.status === 'Approved'
    if (!isApproved && !context.isAutoApproved) {
      const name = quote(remotePerimeter.name)
      const why =
        remote === undefined
          ? `${name} is not among these files`
          : reference === undefined
            ? `${name} has no link reference to this perimeter`
            : `the link reference of ${name} is \`${reference.status}\``
      findings.warning(
        remotePath,
        `the link does not count: ${why}, and \`links.autoApprove\` does not list this perimeter`,
      )
    }
    if (localInboundProfiles.length === 0 && remoteInboundProfiles.length === 0 && !isApproved) {
      findings.warning(path, 'the link names no profile and lets nobody in')
    }
    if (remote === undefined) continue
    const names = new Set(remote.perimeter.profiles.map(({ name }) => name.toLowerCase()))
    for (const [index, profile] of remoteInboundProfiles.entries()) {
      if (profile === '*' || names.has(profile.toLowerCase())) continue
      findings.warning(
        [...path, 'remoteInboundProfiles', index],
        `the perimeter ${quote(remotePerimeter.name)} has no profile ${quote(profile)}`,
      )
    }
  }
}

function checkReferences(
  { perimeter, findings, linkReferences }: LoadedPerimeter,
  byId: ReadonlyMap<string, LoadedPerimeter>,
): void {
  for (const { value, path } of linkReferences) {
    const remote = byId.get(value.remotePerimeter.key)
    if (remote === undefined) continue
    const { links } = remote.perimeter
    if (links.some(({ remotePerimeter }) => remotePerimeter.key === perimeter.id.key)) continue
    findings.warning(
      [...path, 'remotePerimeterResourceId'],
      `the perimeter ${quote(value.remotePerimeter.name)} has no link to this one: the reference answers nothing`,
    )
  }
}

function placeOf({ findings, path }: FirstUse): string {
  const { file, line } = findings.locate(path)
  return `\`${file.slice(file.lastIndexOf('/') + 1)}:${line}\``
}
