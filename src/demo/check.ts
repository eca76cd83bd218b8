import type { AccessLog } from './access-log.ts'
import { type LogLine } from './access-log.ts'
import type { Answer, Opened } from './web-client.ts'
import type { World } from './world.ts'

/** What the demo tries and how it judges what came of it. */

/** A few checks that belong together. They run in order, and later ones may rest on earlier ones. */
export interface Story {
  readonly title: string
  /** What it shows, in a sentence or two. */
  readonly about: string
  readonly checks: (stage: Stage) => readonly Check[]
}

export interface Stage {
  readonly world: World
  readonly log: AccessLog
}

export interface Check {
  /** Who does what. */
  readonly tried: string
  /** As `Result.got` spells it. */
  readonly expect: string
  /** Of the lines that it must leave in the access log, in any order; ends of what lasts do not count. */
  readonly categories: readonly string[]
  readonly act: () => Promise<Answer | Opened | Observation>
  /** Says what else is wrong, if anything. */
  readonly also?: (seen: Seen) => string | undefined
}

/** What a check saw that is no answer to a request, spelled as it was expected. */
export interface Observation {
  readonly kind: 'observation'
  readonly got: string
}

export interface Seen {
  readonly answer: Answer | undefined
  /** Decisions, not ends: those of an earlier check may arrive late. */
  readonly lines: readonly LogLine[]
}

export interface Result {
  readonly passed: boolean
  readonly got: string
  /** As logged. */
  readonly categories: readonly string[]
  /** Why it did not pass, where `got` does not show it. */
  readonly problem: string | undefined
}

/** Shown where a line has no category, because no resource is known. */
const noCategory = '-'

/** Does it, waits for its lines in the log, and compares. Never throws. */
export async function performCheck(check: Check, log: AccessLog): Promise<Result> {
  const before = (await log.since(0, () => true)).length
  try {
    const seen = await check.act()
    const lines = await log.since(
      before,
      (read) => decisionsIn(read).length >= check.categories.length,
    )
    const decisions = decisionsIn(lines)
    const categories = decisions.map(({ category }) => (category === '' ? noCategory : category))
    const answer = answerOf(seen)
    const got = 'kind' in seen && seen.kind === 'observation' ? seen.got : spell(seen, decisions)
    const problem = sameMembers(categories, check.categories)
      ? check.also?.({ answer, lines: decisions })
      : `the log was expected to hold ${check.categories.join(' and ') || 'nothing'}`
    return { passed: got === check.expect && problem === undefined, got, categories, problem }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    return { passed: false, got: 'error', categories: [], problem }
  }
}

/** Lines that tell a decision, not an end. */
export function decisionsIn(lines: readonly LogLine[]): LogLine[] {
  return lines.filter(({ closeReason }) => closeReason === undefined)
}

/** `200 access-rule`: the status, and the reason as the client was told it, else as the log has it. */
function spell(seen: Answer | Opened, decisions: readonly LogLine[]): string {
  const status = 'kind' in seen && seen.kind === 'open' ? seen.status : answerOf(seen)?.status
  const told = reasonIn(answerOf(seen)?.body ?? '')
  const reasons = told === undefined ? [...new Set(decisions.map(({ reason }) => reason))] : [told]
  return [String(status ?? 0), ...reasons].join(' ')
}

function answerOf(seen: Answer | Opened | Observation): Answer | undefined {
  if (!('kind' in seen)) return seen
  return seen.kind === 'answer' ? seen.answer : undefined
}

/** The reason in a refusal's body; undefined for anything else. */
function reasonIn(body: string): string | undefined {
  return /"innererror":\{[^}]*"reason":"([a-z-]+)"/.exec(body)?.[1]
}

function sameMembers(left: readonly string[], right: readonly string[]): boolean {
  return left.toSorted().join() === right.toSorted().join()
}
