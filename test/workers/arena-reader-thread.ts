import { parentPort, type MessagePort, workerData } from 'node:worker_threads'
import type { CompiledPolicy } from '../../src/policy/compiled-policy.ts'
import { evaluateInbound } from '../../src/policy/evaluate-inbound.ts'
import { evaluateOutbound } from '../../src/policy/evaluate-outbound.ts'
import { openPolicy } from '../../src/policy/open-policy.ts'
import { createArenaReader } from '../../src/workers/arena-reader.ts'
import { askOf, type Policy } from './named-policy.ts'

/**
 * A thread that decides by whatever is in force, as fast as it can or (`isIdle`) never, and counts answers that are not
 * of the one policy that it looks at.
 */
export interface ThreadData {
  readonly port: MessagePort
  readonly control: SharedArrayBuffer
  readonly isIdle: boolean
}

export interface ThreadReport {
  readonly decisions: number
  readonly wrong: readonly string[]
  readonly commits: number
}

const { port, control, isIdle } = workerData as ThreadData
let commits = 0
let decisions = 0
const wrong: string[] = []
const reader = createArenaReader({
  port,
  control,
  open: ({ name, compiled }: { name: string; compiled: CompiledPolicy }): Policy => ({
    name,
    snapshot: openPolicy(compiled),
  }),
  onCommit: () => {
    commits++
  },
})

parentPort?.once('message', () => {
  parentPort?.postMessage({ decisions, wrong, commits } satisfies ThreadReport)
  reader.close()
})
if (!isIdle) setImmediate(decideForAWhile)

function decideForAWhile(): void {
  for (let index = 0; index < 200; index++) {
    const policy = reader.current()
    if (policy === undefined) continue
    const { inbound, outbound } = askOf(policy, decisions)
    for (const { effect, rule } of [
      evaluateInbound(policy.snapshot, inbound),
      evaluateOutbound(policy.snapshot, outbound),
    ]) {
      if (effect !== 'allow' || rule !== policy.name) wrong.push(`${effect} by ${rule ?? 'none'}`)
    }
    decisions++
  }
  setImmediate(decideForAWhile).unref()
}
