import type { Findings } from '../documents/findings.ts'
import { parseGuid } from '../perimeter/guid.ts'
import { makePerimeterId, parsePerimeterId } from '../perimeter/perimeter-id.ts'
import { quote } from '../perimeter/quote.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { SettingsValue } from './schema.ts'
import type { Scope } from './settings.ts'

/** Reads `scope`. */
export function readScope(value: SettingsValue['scope'], findings: Findings): Scope | undefined {
  if (value === undefined) return undefined
  const { resourceGroup } = value
  const subscriptionId = parseGuid(value.subscriptionId)
  if (subscriptionId === undefined) {
    findings.error(['scope', 'subscriptionId'], `${quote(value.subscriptionId)} is not a GUID`)
    return undefined
  }
  if (makePerimeterId({ subscriptionId, resourceGroup, name: 'any' }) === undefined) {
    findings.error(
      ['scope', 'resourceGroup'],
      `${quote(resourceGroup)} is not the name of a resource group`,
    )
    return undefined
  }
  return { subscriptionId, resourceGroup }
}

/** Reads `links.autoApprove`. */
export function readPerimeterIds(
  texts: readonly string[],
  findings: Findings,
): readonly ResourceId[] {
  return texts.flatMap((text, index) => {
    const id = parsePerimeterId(text)
    if (id !== undefined) return [id]
    findings.error(
      ['links', 'autoApprove', index],
      `${quote(text)} is not the resource id of a network security perimeter`,
    )
    return []
  })
}
