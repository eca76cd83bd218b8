import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Decision } from '../policy/decision.ts'
import type { ResourcePolicy } from '../policy/snapshot.ts'
import { categoryColumns, type CategoryColumns } from './category-columns.ts'
import { flat, keep, type KeptTexts } from './kept-texts.ts'
import { maxIdLength, jsonText } from './json-text.ts'

/**
 * The parts of a line that many records share, escaped and joined once: what a snapshot says of a resource, what one
 * stage answers for it, and how it is asked. They go with the snapshot. A line is then joined from some ten pieces: what
 * a record costs is their number, for the engine visits each of them twice more before its bytes are written.
 */

export interface ResourceParts {
  /** `resourceId` and `location`: the perimeter's, else the resource's, else null. */
  readonly top: string
  /** `serviceResourceId` with its comma, or empty. */
  readonly service: string
  readonly decisions: DecisionParts[]
}

export interface DecisionParts {
  readonly decision: Decision
  readonly resource: ResourceParts
  /** `category` and its value. */
  readonly category: string
  /** What precedes source and destination: profile and rule, with a comma, or empty. */
  readonly before: string
  /** What follows them, up to the value of `sequence`. */
  readonly after: string
  /** By operation: from `resourceId` into the value of `correlationId`. */
  readonly subjects: KeptTexts
  /** By name of the service, empty for none: from behind `correlationId` up to the source. */
  readonly services: KeptTexts
}

/** A resource has hardly more answers in use; with more, the oldest is made anew. */
const maxDecisionsKept = 16

const noResource: ResourceParts = {
  top: '"resourceId":null,"location":null',
  service: '',
  decisions: [],
}

export interface ConstantParts {
  of(decision: Decision): DecisionParts
}

/** `origin`: what every line says of where it was written, up to the value of `sequence`. */
export function createConstantParts(origin: string): ConstantParts {
  const unknown: ResourceParts = { ...noResource, decisions: [] }
  const byResource = new WeakMap<ResourcePolicy, ResourceParts>()

  function ofResource(resource: ResourcePolicy | undefined): ResourceParts {
    if (resource === undefined) return unknown
    let parts = byResource.get(resource)
    if (parts === undefined) {
      parts = makeResourceParts(resource)
      byResource.set(resource, parts)
    }
    return parts
  }

  return {
    of(decision) {
      const resource = ofResource(decision.resource)
      const { decisions } = resource
      for (const parts of decisions) {
        if (isSame(parts.decision, decision)) return parts
      }
      const made = makeDecisionParts(decision, { resource, origin })
      if (decisions.length >= maxDecisionsKept) decisions.shift()
      decisions.push(made)
      return made
    },
  }
}

/** `resourceId` and `location` of what concerns no resource. */
export const topOfNothing = noResource.top

function makeResourceParts(resource: ResourcePolicy): ResourceParts {
  const perimeter = resource.association?.perimeter.perimeter
  const id = jsonText(resource.id.text, maxIdLength)
  return {
    top:
      perimeter === undefined
        ? `"resourceId":${id},"location":null`
        : `"resourceId":${jsonText(perimeter.id.text, maxIdLength)},"location":${jsonText(perimeter.location)}`,
    service: `"serviceResourceId":${id},`,
    decisions: [],
  }
}

/** Everything that `makeDecisionParts` reads. */
function isSame(one: Decision, other: Decision): boolean {
  return (
    one === other ||
    (one.reason === other.reason &&
      one.rule === other.rule &&
      one.effect === other.effect &&
      one.direction === other.direction &&
      one.category === other.category &&
      one.trafficType === other.trafficType &&
      one.accessMode === other.accessMode &&
      one.enforcedEffect === other.enforcedEffect &&
      one.policyVersion === other.policyVersion &&
      one.resource === other.resource)
  )
}

const noColumns: CategoryColumns = { ruleType: undefined, hasResult: true }

const resultActions = { allow: 'Approved', deny: 'Denied' } as const

function makeDecisionParts(
  decision: Decision,
  { resource, origin }: { resource: ResourceParts; origin: string },
): DecisionParts {
  const { category, trafficType, accessMode, rule } = decision
  const columns: CategoryColumns = category === undefined ? noColumns : categoryColumns[category]
  const profile = decision.resource?.association?.profile
  let before = ''
  if (profile !== undefined) {
    before += `"profile":${jsonText(profile.name)},"accessRulesVersion":${jsonText(profile.accessRulesVersion)},`
  }
  if (rule !== undefined) before += `"matchedRule":{"accessRule":${jsonText(rule)}},`
  let after = columns.hasResult ? `"resultAction":"${resultActions[decision.effect]}",` : ''
  after += `"resultDirection":"${decision.direction}",`
  if (columns.ruleType !== undefined) after += `"ruleType":"${columns.ruleType}",`
  if (trafficType !== undefined) after += `"trafficType":"${trafficType}",`
  after += `"reason":"${decision.reason}",`
  if (accessMode !== undefined) after += `"accessMode":"${accessMode}",`
  after += `"enforcedEffect":"${decision.enforcedEffect}","policyVersion":${jsonText(decision.policyVersion)}`
  return {
    decision,
    resource,
    category: category === undefined ? '"category":null' : `"category":"${category}"`,
    before,
    after: flat(after + origin),
    subjects: new Map(),
    services: new Map(),
  }
}

/** From `resourceId` into the value of `correlationId`. */
export function subjectOf(
  { subjects, resource, category }: DecisionParts,
  operation: string,
): string {
  return (
    subjects.get(operation) ??
    keep(
      subjects,
      operation,
      `${resource.top},"operationName":${jsonText(operation)},${category},"correlationId":"`,
    )
  )
}

/** From behind the value of `correlationId` up to the source. */
export function serviceOf(
  { services, resource, before }: DecisionParts,
  fqdn: string | undefined,
): string {
  const kept = services.get(fqdn)
  if (kept !== undefined) return kept
  const named = fqdn === undefined ? '' : `"serviceFqdn":${jsonText(fqdn)},`
  return keep(services, fqdn, `","properties":{${resource.service}${named}${before}`)
}

const idTexts = new WeakMap<ResourceId, string>()

/** `resourceId` of a source or destination, with its comma. */
export function resourceIdOf(id: ResourceId): string {
  let text = idTexts.get(id)
  if (text === undefined) {
    text = flat(`"resourceId":${jsonText(id.text, maxIdLength)},`)
    idTexts.set(id, text)
  }
  return text
}
