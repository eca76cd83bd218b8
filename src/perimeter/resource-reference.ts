import { type Checked, invalid, valid } from './checked.ts'
import { quote } from './quote.ts'
import { parseResourceId, type ResourceId } from './resource-id.ts'

/** Type of a service that Azure does not know. */
const localServiceType = 'Ringfence.Local/services'

/** Where bare ids live. */
export interface ReferenceScope {
  readonly subscriptionId: string
  readonly resourceGroup: string
}

const bareName = /^[A-Za-z0-9][A-Za-z0-9_.()-]{0,259}$/

/** The id of a resource where it is declared: a full id, or a bare name for a service within the scope. */
export function declaredResourceId(
  text: string,
  scope: ReferenceScope | undefined,
): Checked<ResourceId> {
  if (!bareName.test(text)) return fullResourceId(text)
  if (scope === undefined) {
    return invalid(
      `the bare name ${quote(text)} needs \`scope\`; add it, or write the full resource id`,
    )
  }
  const { subscriptionId, resourceGroup } = scope
  return fullResourceId(
    `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/${localServiceType}/${text}`,
  )
}

/**
 * The resource that a reference means: a full id, or a bare name for the one known resource whose id ends in it.
 */
export function referencedResourceId(
  text: string,
  known: readonly ResourceId[],
): Checked<ResourceId> {
  if (text.startsWith('/')) return fullResourceId(text)
  const ending = `/${text.toLowerCase()}`
  const [found, ...others] = known.filter((id) => id.key.endsWith(ending))
  if (found === undefined) {
    return invalid(
      `no resource in settings is named ${quote(text)}; add it there, or write the full resource id`,
    )
  }
  if (others.length > 0) {
    return invalid(
      `${others.length + 1} resources in settings are named ${quote(text)}; write the full resource id`,
    )
  }
  return valid(found)
}

function fullResourceId(text: string): Checked<ResourceId> {
  const id = parseResourceId(text)
  return id === undefined
    ? invalid(
        `${quote(text)} is not a resource id; write \`/subscriptions/…/resourceGroups/…/providers/…/…/…\` or a bare name`,
      )
    : valid(id)
}
