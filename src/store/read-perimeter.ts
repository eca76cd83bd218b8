import type { Findings } from '../documents/findings.ts'
import { type Placed, valuesOf } from '../documents/placed.ts'
import type { Path } from '../documents/problem.ts'
import { defaultPerimeterGuid } from '../perimeter/perimeter-guid.ts'
import { type Guid, parseGuid } from '../perimeter/guid.ts'
import { makePerimeterId } from '../perimeter/perimeter-id.ts'
import type {
  Association,
  Link,
  LinkReference,
  Perimeter,
  Profile,
} from '../perimeter/perimeter.ts'
import { quote } from '../perimeter/quote.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import { warnOfPerimeter } from './check-rules.ts'
import { readAccessRule } from './read-access-rule.ts'
import type { PerimeterContext } from './perimeter-context.ts'
import { readAssociations } from './read-associations.ts'
import { readLinkReferences, readLinks } from './read-links.ts'
import type { PerimeterValue } from './schema.ts'
import { reportDuplicates } from './report-duplicates.ts'

/** A perimeter and where its parts stand. */
export interface LoadedPerimeter {
  readonly perimeter: Perimeter
  /** Takes paths in the native form of this perimeter, whatever the form of its file. */
  readonly findings: Findings
  readonly associations: readonly Placed<Association>[]
  readonly links: readonly Placed<Link>[]
  readonly linkReferences: readonly Placed<LinkReference>[]
}

/** Reads one perimeter of the right shape. What is wrong is reported; undefined where it has no identity. */
export function readPerimeter(
  value: PerimeterValue,
  context: PerimeterContext,
): LoadedPerimeter | undefined {
  const { findings } = context
  warnOfPerimeter(value, findings)
  const id = readId(value, context)
  const profiles = readProfiles(value, context)
  if (id === undefined) return undefined
  const inner = { ...context, id, profiles }
  const associations = readAssociations(value.resourceAssociations, inner)
  const links = readLinks(value.links, inner)
  const linkReferences = readLinkReferences(value.linkReferences, inner)
  const perimeter: Perimeter = {
    name: value.name,
    id,
    guid: readGuid(value, findings) ?? defaultPerimeterGuid(id),
    location: value.location,
    profiles,
    associations: valuesOf(associations),
    links: valuesOf(links),
    linkReferences: valuesOf(linkReferences),
    enabledLogCategories: value.loggingConfiguration.enabledLogCategories,
  }
  return { perimeter, findings, associations, links, linkReferences }
}

function readId(value: PerimeterValue, context: PerimeterContext): ResourceId | undefined {
  const { findings, scope } = context
  const subscriptionId = value.subscriptionId ?? scope?.subscriptionId
  const resourceGroup = value.resourceGroup ?? scope?.resourceGroup
  if (subscriptionId === undefined || resourceGroup === undefined) {
    const missing = subscriptionId === undefined ? 'subscriptionId' : 'resourceGroup'
    findings.error(
      [],
      `the key \`${missing}\` is missing, and settings have no \`scope\` to take it from`,
    )
    return undefined
  }
  if (parseGuid(subscriptionId) === undefined) {
    findings.error(['subscriptionId'], `${quote(subscriptionId)} is not a GUID`)
    return undefined
  }
  const id = makePerimeterId({ subscriptionId, resourceGroup, name: value.name })
  if (id === undefined) {
    findings.error(['resourceGroup'], `${quote(resourceGroup)} is not the name of a resource group`)
  }
  return id
}

function readGuid(value: PerimeterValue, findings: Findings): Guid | undefined {
  if (value.perimeterGuid === undefined) return undefined
  const guid = parseGuid(value.perimeterGuid)
  if (guid === undefined) {
    findings.error(['perimeterGuid'], `${quote(value.perimeterGuid)} is not a GUID`)
  }
  return guid
}

function readProfiles(value: PerimeterValue, context: PerimeterContext): readonly Profile[] {
  const { findings, lenient, serviceTags } = context
  reportDuplicates(value.profiles, { path: ['profiles'], what: 'profile', findings })
  return value.profiles.map((profile, index) => {
    const path: Path = ['profiles', index, 'accessRules']
    reportDuplicates(profile.accessRules, { path, what: 'access rule', findings })
    return {
      name: profile.name,
      accessRules: profile.accessRules.map((rule, ruleIndex) =>
        readAccessRule(rule, { path: [...path, ruleIndex], findings, lenient, serviceTags }),
      ),
    }
  })
}
