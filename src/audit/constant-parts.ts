import type { Decision } from '../policy/decision.ts'
import type { ResourcePolicy } from '../policy/snapshot.ts'
import { categoryColumns, type CategoryColumns } from './category-columns.ts'
import { maxIdLength, quote } from './quote.ts'

/**
 * The parts of a line that many records share, escaped and joined once: what a snapshot says of a resource, and what
 * one stage answers for it. They go with the snapshot. Keeping them takes a third off the cost of a record.
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
  /** `category` and its value. */
  readonly category: string
  /** What precedes source and destination: profile and rule, with a comma, or empty. */
  readonly before: string
  /** What follows them, up to `policyVersion`. */
  readonly after: string
}

const nothingKnown: ResourceParts = {
  top: '"resourceId":null,"location":null',
  service: '',
  decisions: [],
}

/** A resource has hardly more answers in use; with more, the oldest is made anew. */
const maxDecisionsKept = 16

const partsByResource = new WeakMap<ResourcePolicy, ResourceParts>()

export function resourceParts(resource: ResourcePolicy | undefined): ResourceParts {
  if (resource === undefined) return nothingKnown
  let parts = partsByResource.get(resource)
  if (parts === undefined) {
    const perimeter = resource.association?.perimeter.perimeter
    const id = quote(resource.id.text, maxIdLength)
    parts = {
      top: flat(
        perimeter === undefined
          ? `"resourceId":${id},"location":null`
          : `"resourceId":${quote(perimeter.id.text, maxIdLength)},"location":${quote(perimeter.location)}`,
      ),
      service: flat(`"serviceResourceId":${id},`),
      decisions: [],
    }
    partsByResource.set(resource, parts)
  }
  return parts
}

export function decisionParts({ decisions }: ResourceParts, decision: Decision): DecisionParts {
  for (const parts of decisions) {
    if (isSame(parts.decision, decision)) return parts
  }
  const made = makeDecisionParts(decision)
  if (decisions.length >= maxDecisionsKept) decisions.shift()
  decisions.push(made)
  return made
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

function makeDecisionParts(decision: Decision): DecisionParts {
  const { category, trafficType, accessMode, rule } = decision
  const columns: CategoryColumns = category === undefined ? noColumns : categoryColumns[category]
  const profile = decision.resource?.association?.profile
  let before = ''
  if (profile !== undefined) {
    before += `"profile":${quote(profile.name)},"accessRulesVersion":${quote(profile.accessRulesVersion)},`
  }
  if (rule !== undefined) before += `"matchedRule":{"accessRule":${quote(rule)}},`
  let after = columns.hasResult ? `"resultAction":"${resultActions[decision.effect]}",` : ''
  after += `"resultDirection":"${decision.direction}",`
  if (columns.ruleType !== undefined) after += `"ruleType":"${columns.ruleType}",`
  if (trafficType !== undefined) after += `"trafficType":"${trafficType}",`
  after += `"reason":"${decision.reason}",`
  if (accessMode !== undefined) after += `"accessMode":"${accessMode}",`
  after += `"enforcedEffect":"${decision.enforcedEffect}","policyVersion":${quote(decision.policyVersion)}`
  return {
    decision,
    category: flat(category === undefined ? '"category":null' : `"category":"${category}"`),
    before: flat(before),
    after: flat(after),
  }
}

/** One piece of memory: the engine keeps joined strings as trees, and would walk the tree for each record. */
function flat(ascii: string): string {
  return Buffer.from(ascii, 'latin1').toString('latin1')
}
