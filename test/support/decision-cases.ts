import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compilePolicy } from './compile-policy.ts'
import type { Explanation } from '../../src/policy/explain.ts'
import { explainInbound } from '../../src/policy/explain-inbound.ts'
import { explainOutbound } from '../../src/policy/explain-outbound.ts'
import type { ResourcePolicy } from '../../src/policy/snapshot.ts'
import type { PrintedDecision } from '../../src/cli/decision-keys.ts'
import { readQuestion } from '../../src/cli/question.ts'
import { buildPolicyInput, type GivenPolicy, serviceId } from './policy-builder.ts'

/**
 * The decision corpus: one file a case. `given` is a small policy in the spelling of the perimeter files, `request` what
 * `ringfence decide` reads, `want` what it prints. A new meaning of a rule is a new file.
 */
export interface DecisionCase {
  /** Path below test/cases, without the suffix. */
  readonly name: string
  readonly note: string
  readonly source: string
  readonly given: GivenPolicy
  readonly request: CaseRequest
  readonly want: Pick<
    PrintedDecision,
    'effect' | 'reason' | 'rule' | 'category' | 'trafficType' | 'enforcedEffect'
  >
}

export interface CaseRequest {
  readonly direction: 'Inbound' | 'Outbound'
  readonly resource: string
  readonly network?: 'public' | 'private'
  readonly source?: {
    readonly ip?: string
    readonly subscriptions?: readonly string[]
    readonly perimeters?: readonly string[]
  }
  readonly destination?: { readonly fqdn: string; readonly port: number }
}

const directory = join(import.meta.dirname, '..', 'cases')

export function readDecisionCases(): readonly DecisionCase[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json'))
    .toSorted()
    .map((path) => {
      const parsed: Omit<DecisionCase, 'name'> = JSON.parse(
        readFileSync(join(directory, path), 'utf8'),
      )
      return { name: path.slice(0, -'.json'.length), ...parsed }
    })
}

/** Decides a case; the explanation holds the decision and the stages that led to it. */
export function explainCase({ given, request }: DecisionCase): Explanation {
  const snapshot = compilePolicy(buildPolicyInput(given))
  const resource = snapshot.resources.get(serviceId(request.resource).key)
  if (resource === undefined) throw new Error(`the case knows no resource ${request.resource}`)
  const question = readQuestion(JSON.stringify(request))
  if (question.kind === 'invalid') throw new Error(question.message)
  return question.value.direction === 'Inbound'
    ? explainInbound(snapshot, { ...question.value, resource })
    : explainOutbound(snapshot, { ...question.value, resource })
}

/** The protected resource of a case, as it was compiled. */
export function protectedResource(one: DecisionCase): ResourcePolicy {
  const { resource } = explainCase(one).decision
  if (resource === undefined) throw new Error('the stages decide about a resource')
  return resource
}
