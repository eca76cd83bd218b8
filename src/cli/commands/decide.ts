import { denyOutsideStages } from '../../policy/deny-outside-stages.ts'
import type { Decision } from '../../policy/decision.ts'
import { evaluateInbound } from '../../policy/evaluate-inbound.ts'
import { evaluateOutbound } from '../../policy/evaluate-outbound.ts'
import type { PolicySnapshot } from '../../policy/snapshot.ts'
import { KiB } from '../../units.ts'
import { printDecision } from '../decision-keys.ts'
import { exitCodes } from '../exit-code.ts'
import { findResource } from '../find-resource.ts'
import { type LoadPolicy, loadPolicy } from '../load-policy.ts'
import { type Question, readQuestion } from '../question.ts'
import { readLines } from '../read-lines.ts'

export interface DecideOptions {
  /** Path of the settings file. */
  readonly config: string
  /** Newline-delimited JSON; standard input unless a test says otherwise. */
  readonly input?: AsyncIterable<Uint8Array | string>
  /** Awaited: a slow reader slows the command down. */
  readonly out: (text: string) => unknown
  readonly err: (text: string) => unknown
  readonly load?: LoadPolicy<'snapshot'>
}

const maxLineBytes = 64 * KiB

/**
 * `ringfence decide`: reads one question a line and answers each with one line, a decision or `{"error":…}`, in order.
 * Blank lines are passed over. Returns the exit code: 0 good, 1 a line or the configuration has problems, 2 wrong usage.
 */
export async function runDecide(options: DecideOptions): Promise<number> {
  if (options.config === '') {
    options.err('name a settings file: `ringfence decide --config FILE`\n')
    return exitCodes.usage
  }
  const load: LoadPolicy<'snapshot'> = options.load ?? loadPolicy
  const inForce = await load(options.config, options.err)
  if (inForce === undefined) return exitCodes.problems

  let exitCode: number = exitCodes.good
  for await (const line of readLines(options.input ?? process.stdin, maxLineBytes)) {
    if (line.kind === 'line' && line.text.trim() === '') continue
    const answer = line.kind === 'line' ? answerLine(inForce.snapshot, line.text) : tooLong
    if ('error' in answer) {
      exitCode = exitCodes.problems
      await options.out(`${JSON.stringify({ error: `line ${line.number}: ${answer.error}` })}\n`)
    } else {
      await options.out(`${JSON.stringify(printDecision(answer))}\n`)
    }
  }
  return exitCode
}

interface LineError {
  readonly error: string
}

const tooLong: LineError = { error: `a question has at most ${maxLineBytes} bytes` }

function answerLine(snapshot: PolicySnapshot, text: string): Decision | LineError {
  const question = readQuestion(text)
  if (question.kind === 'invalid') return { error: question.message }
  return answer(snapshot, question.value)
}

function answer(snapshot: PolicySnapshot, question: Question): Decision | LineError {
  const found = findResource(snapshot, question.resource)
  if (found.kind === 'unclear') return { error: found.message }
  if (found.kind === 'unknown') {
    return denyOutsideStages({
      direction: question.direction,
      reason: 'unknown-resource',
      resource: undefined,
      policyVersion: snapshot.version,
    })
  }
  const { resource } = found
  switch (question.direction) {
    case 'Inbound': {
      const { network, source } = question
      return evaluateInbound(snapshot, { resource, network, source })
    }
    case 'Outbound':
      return evaluateOutbound(snapshot, { resource, destination: question.destination })
  }
}
