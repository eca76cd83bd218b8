import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import { referencedResourceId } from '../perimeter/resource-reference.ts'
import type { Resource } from '../perimeter/resource.ts'

export interface ReferenceContext {
  readonly path: Path
  readonly resources: readonly Resource[]
  readonly findings: Findings
}

/** The resource of settings that is meant by an id or a bare name; one that is not there is reported. */
export function readReference(
  text: string | undefined,
  context: ReferenceContext,
): ResourceId | undefined {
  if (text === undefined) return undefined
  const id = referencedResourceId(
    text,
    context.resources.map((resource) => resource.id),
  )
  if (id.kind === 'valid') return id.value
  // A resource that could not be read is no reason to say that it is not there.
  if (!context.findings.foundWithin(['resources'])) context.findings.error(context.path, id.message)
  return undefined
}
