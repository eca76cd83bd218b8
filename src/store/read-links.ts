import type { Placed } from '../documents/placed.ts'
import type { Path } from '../documents/problem.ts'
import { parsePerimeterId } from '../perimeter/perimeter-id.ts'
import type { Link, LinkReference, ProfileSelection } from '../perimeter/perimeter.ts'
import { quote } from '../perimeter/quote.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { MemberContext } from './perimeter-context.ts'
import { reportDuplicates } from './report-duplicates.ts'
import type { PerimeterValue } from './schema.ts'

const aloneMessage = '`*` is all profiles; write it alone'

type Context = MemberContext & { readonly path: Path }

/** Reads `links`. */
export function readLinks(
  values: PerimeterValue['links'],
  context: MemberContext,
): readonly Placed<Link>[] {
  const { findings } = context
  reportDuplicates(values, { path: ['links'], what: 'link', findings })
  const remotes = new Set<string>()
  return values.flatMap((value, index) => {
    const path: Path = ['links', index]
    const remotePerimeter = readRemote(value.autoApprovedRemotePerimeterResourceId, remotes, {
      ...context,
      path: [...path, 'autoApprovedRemotePerimeterResourceId'],
    })
    const localInboundProfiles = readSelection(value.localInboundProfiles, {
      ...context,
      path: [...path, 'localInboundProfiles'],
    })
    if (remotePerimeter === undefined) return []
    const { name, remoteInboundProfiles } = value
    const all = remoteInboundProfiles.indexOf('*')
    if (all !== -1 && remoteInboundProfiles.length > 1) {
      findings.error([...path, 'remoteInboundProfiles', all], aloneMessage)
    }
    return [{ value: { name, remotePerimeter, localInboundProfiles, remoteInboundProfiles }, path }]
  })
}

/** Reads `linkReferences`. */
export function readLinkReferences(
  values: PerimeterValue['linkReferences'],
  context: MemberContext,
): readonly Placed<LinkReference>[] {
  reportDuplicates(values, {
    path: ['linkReferences'],
    what: 'link reference',
    findings: context.findings,
  })
  const remotes = new Set<string>()
  return values.flatMap((value, index) => {
    const path: Path = ['linkReferences', index]
    const remotePerimeter = readRemote(value.remotePerimeterResourceId, remotes, {
      ...context,
      path: [...path, 'remotePerimeterResourceId'],
    })
    const localInboundProfiles = readSelection(value.localInboundProfiles, {
      ...context,
      path: [...path, 'localInboundProfiles'],
    })
    if (remotePerimeter === undefined) return []
    const { name, status } = value
    return [{ value: { name, remotePerimeter, localInboundProfiles, status }, path }]
  })
}

function readRemote(
  text: string,
  remotes: Set<string>,
  { findings, id, path }: Context,
): ResourceId | undefined {
  const remote = parsePerimeterId(text)
  if (remote === undefined) {
    findings.error(path, `${quote(text)} is not the resource id of a network security perimeter`)
    return undefined
  }
  if (remote.key === id.key) {
    findings.error(path, 'a perimeter cannot be linked to itself')
    return undefined
  }
  if (remotes.has(remote.key)) {
    findings.error(path, `the perimeter ${quote(remote.name)} is named by two of these; write one`)
  }
  remotes.add(remote.key)
  return remote
}

/** Names of own profiles, by their own spelling; `*` alone is all. */
function readSelection(names: readonly string[], context: Context): ProfileSelection {
  const { findings, path, profiles } = context
  return names.flatMap((name, index) => {
    if (name === '*') {
      if (names.length > 1) findings.error([...path, index], aloneMessage)
      return ['*']
    }
    const found = profiles.find((profile) => profile.name.toLowerCase() === name.toLowerCase())
    if (found === undefined) {
      findings.error(
        [...path, index],
        `the profile ${quote(name)} does not exist in this perimeter`,
      )
      return []
    }
    return [found.name]
  })
}
