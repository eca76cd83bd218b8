import type { Placed } from '../documents/placed.ts'
import type { Path } from '../documents/problem.ts'
import type { Association } from '../perimeter/perimeter.ts'
import { quote } from '../perimeter/quote.ts'
import { parseResourceId, type ResourceId } from '../perimeter/resource-id.ts'
import { referencedResourceId } from '../perimeter/resource-reference.ts'
import type { MemberContext } from './perimeter-context.ts'
import { reportDuplicates } from './report-duplicates.ts'
import type { AssociationValue } from './schema.ts'

/** Reads `resourceAssociations`. Those that lack a resource are reported and left out. */
export function readAssociations(
  values: readonly AssociationValue[],
  context: MemberContext,
): readonly Placed<Association>[] {
  const { findings } = context
  const list: Path = ['resourceAssociations']
  reportDuplicates(values, { path: list, what: 'association', findings })
  return values.flatMap((value, index) => {
    const path: Path = [...list, index]
    const resourceId = readResource(value.privateLinkResource.id, {
      ...context,
      path: [...path, 'privateLinkResource', 'id'],
    })
    const profile = readProfile(value.profile.id, { ...context, path: [...path, 'profile', 'id'] })
    if (resourceId === undefined) return []
    const { name, accessMode } = value
    // Without its profile it has been reported and is never used, but the resource counts for what is checked further.
    return [{ value: { name, resourceId, profile: profile ?? value.profile.id, accessMode }, path }]
  })
}

function readResource(
  text: string,
  context: MemberContext & { readonly path: Path },
): ResourceId | undefined {
  const id = referencedResourceId(text, context.resources.ids)
  if (id.kind === 'valid') return id.value
  const mayBeKnown = !context.resources.areAll && !text.startsWith('/')
  if (!mayBeKnown) context.findings.error(context.path, id.message)
  return undefined
}

/** The profile that a reference means, by its own spelling: the bare name, or a full id within this perimeter. */
function readProfile(
  text: string,
  context: MemberContext & { readonly path: Path },
): string | undefined {
  const { findings, path, profiles } = context
  const name = text.startsWith('/') ? nameWithin(text, context.id) : text
  if (name === undefined) {
    findings.error(path, `${quote(text)} is not the id of a profile of this perimeter`)
    return undefined
  }
  const found = profiles.find((profile) => profile.name.toLowerCase() === name.toLowerCase())
  if (found === undefined) {
    findings.error(path, `the profile ${quote(name)} does not exist in this perimeter`)
  }
  return found?.name
}

function nameWithin(text: string, perimeter: ResourceId): string | undefined {
  const id = parseResourceId(text)
  return id?.key === `${perimeter.key}/profiles/${id?.name.toLowerCase()}` ? id.name : undefined
}
