import { referencedResourceId } from '../perimeter/resource-reference.ts'
import type { PolicySnapshot, ResourcePolicy } from '../policy/snapshot.ts'

export type FoundResource =
  | { readonly kind: 'found'; readonly resource: ResourcePolicy }
  | { readonly kind: 'unknown' }
  /** No id, or a name of two. */
  | { readonly kind: 'unclear'; readonly message: string }

/** Finds what a full id or a bare name means, as settings do: a bare name is the one resource whose id ends in it. */
export function findResource(snapshot: PolicySnapshot, reference: string): FoundResource {
  const ids = [...snapshot.resources.values()].map(({ id }) => id)
  const isBare = !reference.startsWith('/')
  const ending = `/${reference.toLowerCase()}`
  if (isBare && !ids.some(({ key }) => key.endsWith(ending))) return { kind: 'unknown' }
  const id = referencedResourceId(reference, ids)
  if (id.kind === 'invalid') return { kind: 'unclear', message: id.message }
  const resource = snapshot.resources.get(id.value.key)
  return resource === undefined ? { kind: 'unknown' } : { kind: 'found', resource }
}
