import { writeSync } from 'node:fs'
import { createAccessLog } from '../../src/audit/log-writer.ts'
import { createOperationalLog } from '../../src/audit/operational-log.ts'
import { MiB } from '../../src/units.ts'
import { recordFrom } from './record-parts.ts'

/**
 * A process that writes the access log, for tests that stop, starve or kill it. Arguments: file, records per turn, turns
 * (a millisecond each). Reports on descriptor 3: after each turn the sequence, at the end the rest as JSON.
 */
const [file = '-', perTurn = '1', turns = '1', flushIntervalMs = '20'] = process.argv.slice(2)

const problems: string[] = []
const operational = createOperationalLog({ level: 'info' })
const log = createAccessLog({
  file,
  instance: 'child',
  boot: 'boot',
  flushIntervalMs: Number(flushIntervalMs),
  bufferBytes: MiB,
  onFailure: 'deny',
  onRecovery: (news) => operational.info(news),
  onProblem: (problem) => {
    problems.push(problem)
    operational.error(problem)
  },
  now: Date.now,
})
const record = recordFrom({ decision: { reason: 'unknown-resource' } })
for (let turn = 0; turn < Number(turns); turn++) {
  for (let index = 0; index < Number(perTurn); index++) log.accept({ ...record, time: Date.now() })
  writeSync(3, `${log.sequence}\n`)
  await new Promise((resolve) => setTimeout(resolve, 1))
}
await log.close(500)
const { sequence, lost } = log
writeSync(3, `${JSON.stringify({ sequence, lost, problems })}\n`)
// As a command does at its end: nothing that waits for a pipe may keep it.
process.exit(0)
