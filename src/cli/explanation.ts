import type { ExplainedAddress } from '../policy/explain-addresses.ts'
import type { ExplainedStage, Explanation, StageOutcome } from '../policy/explain.ts'
import { type PrintedDecision, printDecision } from './decision-keys.ts'

/** What the guard says of each address; undefined where none is known before it is dialled. */
type Addresses = readonly ExplainedAddress[] | undefined

/** An explanation as JSON: the decision, every stage of the table in order, addresses, and what to change. */
export function printExplanation(
  { decision, stages, advice }: Explanation,
  addresses: Addresses,
): {
  readonly decision: PrintedDecision
  readonly stages: readonly ExplainedStage[]
  readonly addresses:
    readonly { readonly address: string; readonly refused: string | null }[] | null
  readonly advice: Explanation['advice']
} {
  const printed = addresses?.map(({ address, refused }) => ({ address, refused: refused ?? null }))
  return { decision: printDecision(decision), stages, addresses: printed ?? null, advice }
}

/** An explanation to read, with a newline at its end. */
export function formatExplanation(
  { decision, stages, advice }: Explanation,
  addresses: Addresses,
): string {
  const { direction, resource, effect, reason, rule, category, enforcedEffect } = decision
  const lines = [
    `${direction} ${direction === 'Inbound' ? 'to' : 'from'} ${resource?.id.text ?? '?'}`,
    '',
  ]
  for (const stage of stages) lines.push(...formatStage(stage))
  lines.push('', `${effect.toUpperCase()} by ${reason}`)
  if (rule !== undefined) lines.push(`  rule: ${rule}`)
  lines.push(`  category: ${category ?? 'none'}`)
  if (enforcedEffect !== effect) lines.push(`  in Enforced mode: ${enforcedEffect}`)
  if (addresses !== undefined) lines.push('', ...formatAddresses(addresses))
  for (const { text, yaml } of advice) {
    lines.push('', `${text.charAt(0).toUpperCase()}${text.slice(1)}${yaml.length === 0 ? '' : ':'}`)
    for (const line of yaml) lines.push(`  ${line}`)
  }
  return `${lines.join('\n')}\n`
}

function formatAddresses(addresses: readonly ExplainedAddress[]): readonly string[] {
  const lines = addresses.map(({ address, refused }) =>
    refused === undefined ? `  ${address}: may be dialled` : `  ${address}: refused, ${refused}`,
  )
  const isDialled = addresses.some(({ refused }) => refused === undefined)
  const end = isDialled
    ? []
    : ['  None is left to dial: the request is denied by address-not-public.']
  return ['The guard on the addresses:', ...lines, ...end]
}

const outcomes = {
  passed: 'no ',
  decided: 'YES',
  'not-asked': '-  ',
  failed: '!  ',
} as const satisfies Record<StageOutcome, string>

const rowWidth = 3
const reasonWidth = 23
const effectWidth = 6

function formatStage({ row, reason, effect, when, outcome, because }: ExplainedStage): string[] {
  const head = `${row.padEnd(rowWidth)} ${reason.padEnd(reasonWidth)} ${effect.padEnd(effectWidth)} ${outcomes[outcome]}`
  switch (outcome) {
    case 'not-asked':
      return [head.trimEnd()]
    case 'passed':
    case 'failed':
      return [`${head}  ${because ?? ''}`]
    case 'decided':
      return [`${head}  ${when}`, `${' '.repeat(head.length + 2)}${because ?? ''}`]
  }
}
