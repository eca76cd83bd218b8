import type { DecisionReason } from '../reasons.ts'
import type { Decision, Effect } from './decision.ts'
import type { PolicySnapshot } from './snapshot.ts'
import type { StageTable } from './stage.ts'

/** Whether a stage was asked and what came of it. The first that decides is the last that is asked. */
export type StageOutcome = 'passed' | 'decided' | 'not-asked' | 'failed'

export interface ExplainedStage {
  readonly row: string
  readonly reason: DecisionReason
  /** What it answers where its condition holds. */
  readonly effect: Effect
  readonly when: string
  readonly outcome: StageOutcome
  /** The facts that its condition met; undefined where it was not asked. */
  readonly because: string | undefined
}

/** A decision with the way to it, for people. */
export interface Explanation {
  readonly decision: Decision
  readonly stages: readonly ExplainedStage[]
  /** What to change for the perimeter to allow this in Enforced mode too; empty where it does. */
  readonly advice: readonly Advice[]
}

export interface Advice {
  /** One sentence: what to do, and where. */
  readonly text: string
  /** The YAML to add, line by line. */
  readonly yaml: readonly string[]
}

/** For each line of a table the facts that its condition looks at, in words. A new line breaks the build here. */
export type StageFacts<Row extends string, Request> = Readonly<
  Record<Row, (request: Request, snapshot: PolicySnapshot) => string>
>

/**
 * Asks the stages of a table once more, in order, and keeps what each of them said. The stages are those that decide;
 * only the words are new. Never throws.
 */
export function explainStages<Row extends string, Request>(
  table: StageTable<Row, Request> & { readonly facts: StageFacts<Row, Request> },
  snapshot: PolicySnapshot,
  request: Request,
): readonly ExplainedStage[] {
  let isOpen = true
  return table.stages.map((stage): ExplainedStage => {
    const { row, reason, effect, when } = stage
    const said = { row, reason, effect, when }
    if (!isOpen) return { ...said, outcome: 'not-asked', because: undefined }
    try {
      isOpen = stage.match(request, snapshot) === false
      const because = table.facts[row](request, snapshot)
      return { ...said, outcome: isOpen ? 'passed' : 'decided', because }
    } catch {
      isOpen = false
      return { ...said, outcome: 'failed', because: 'the stage cannot be evaluated' }
    }
  })
}
