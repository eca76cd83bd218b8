import { parseResourceId, type ResourceId } from './resource-id.ts'

/** ARM type of perimeters (NSP REST specification). */
const perimeterType = 'Microsoft.Network/networkSecurityPerimeters'

/** Parses the resource id of a perimeter; undefined for anything else. */
export function parsePerimeterId(text: string): ResourceId | undefined {
  const id = parseResourceId(text)
  return id?.type.toLowerCase() === perimeterType.toLowerCase() ? id : undefined
}

/** The id of a perimeter by its parts; undefined where one of them cannot stand in an id. */
export function makePerimeterId(parts: {
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly name: string
}): ResourceId | undefined {
  const { subscriptionId, resourceGroup, name } = parts
  return parsePerimeterId(
    `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/${perimeterType}/${name}`,
  )
}
