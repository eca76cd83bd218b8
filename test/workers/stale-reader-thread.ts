import { parentPort } from 'node:worker_threads'
import type { CompiledPolicy } from '../../src/policy/compiled-policy.ts'
import { evaluateInbound } from '../../src/policy/evaluate-inbound.ts'
import { evaluateOutbound } from '../../src/policy/evaluate-outbound.ts'
import { openPolicy } from '../../src/policy/open-policy.ts'
import { askOf, type Policy } from './named-policy.ts'

/** A thread that goes on deciding by a policy which it should have left, until its tables are gone. */

export interface StaleReport {
  readonly right: number
  /** Denied, as the tables were gone. */
  readonly gone: number
  readonly wrong: readonly string[]
}

/** Far longer than filling the buffer anew takes. */
const longestMs = 2000

parentPort?.on('message', ({ name, compiled }: { name: string; compiled: CompiledPolicy }) => {
  const policy = { name, snapshot: openPolicy(compiled) }
  decide(policy, 0)
  parentPort?.postMessage('reading')
  const until = performance.now() + longestMs
  let right = 0
  let gone = 0
  const wrong: string[] = []
  // To the first that is gone, and a while on: meanwhile the buffer is written.
  for (let number = 0; gone < 200 && performance.now() < until; number++) {
    for (const { effect, reason, rule } of decide(policy, number)) {
      if (effect === 'allow' && rule === name) right++
      else if (effect === 'deny' && reason === 'internal-error') gone++
      else wrong.push(`${effect} ${reason} ${rule ?? ''}`)
    }
  }
  parentPort?.postMessage({ right, gone, wrong } satisfies StaleReport)
})

function decide(policy: Policy, number: number) {
  const { inbound, outbound } = askOf(policy, number)
  return [evaluateInbound(policy.snapshot, inbound), evaluateOutbound(policy.snapshot, outbound)]
}
