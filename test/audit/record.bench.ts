import { createRecordFormat } from '../../src/audit/format-record.ts'
import { KiB } from '../../src/units.ts'
import { recordFrom } from '../support/record-parts.ts'

/** µs of CPU per record, formatted and encoded in batches as the writer does; the goal is 1.5. Run: node test/audit/record.bench.ts */
const goalMicroseconds = 1.5
const rounds = 7
const perRound = 100_000

const format = createRecordFormat({ instance: 'gateway-1', boot: crypto.randomUUID() })
const record = recordFrom({
  decision: {
    effect: 'allow',
    reason: 'access-rule',
    category: 'NspPublicInboundPerimeterRulesAllowed',
    trafficType: 'Public',
    resource: 'orders',
    rule: 'office',
    accessMode: 'Enforced',
    enforcedEffect: 'allow',
  },
  serviceFqdn: 'orders.example',
  source: { ipAddress: '203.0.113.9', port: 51514 },
})

const batchBytes = 64 * KiB
const results: number[] = []
let bytes = 0
for (let round = 0; round < rounds; round++) {
  const start = process.cpuUsage()
  let batch = ''
  for (let index = 0; index < perRound; index++) {
    batch += format.record({ ...record, time: record.time + index }, index)
    if (batch.length >= batchBytes) {
      // Encoded as the writer does, or the engine would never join the parts.
      bytes += Buffer.from(batch, 'latin1').length
      batch = ''
    }
  }
  bytes += batch.length
  const { user, system } = process.cpuUsage(start)
  results.push((user + system) / perRound)
}
results.sort((one, other) => one - other)
const median = results[Math.floor(rounds / 2)] ?? Number.NaN
console.log(`${Math.round(bytes / rounds / perRound)} bytes a record`)
console.log(`${median.toFixed(2)} µs a record (goal <= ${goalMicroseconds})`)
