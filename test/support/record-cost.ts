import { randomUUID } from 'node:crypto'
import { createRecordFormat } from '../../src/audit/format-record.ts'
import { createAccessLog } from '../../src/audit/log-writer.ts'
import type { AccessRecord } from '../../src/audit/record.ts'
import { KiB, MiB } from '../../src/units.ts'
import { recordFrom } from './record-parts.ts'

/** What a record costs, from the facts of a request to bytes that the writer has handed over. */

interface TypicalRecord {
  readonly note: string
  readonly record: AccessRecord
}

export const typicalRecords: readonly TypicalRecord[] = [
  {
    note: 'inbound, allowed by a rule',
    record: recordFrom({
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
    }),
  },
  {
    note: 'outbound, allowed by a rule',
    record: recordFrom({
      decision: {
        effect: 'allow',
        reason: 'access-rule',
        direction: 'Outbound',
        category: 'NspPublicOutboundPerimeterRulesAllowed',
        trafficType: 'Public',
        resource: 'orders',
        rule: 'payments',
        accessMode: 'Enforced',
        enforcedEffect: 'allow',
      },
      operationName: 'CONNECT',
      source: {
        ipAddress: '127.0.0.1',
        port: 40_404,
        resource: 'orders',
        perimeterGuids: ['7d0c2c1e-5a0f-4e0f-9a43-0d3a5a3f7b11'],
        subscriptions: ['11111111-1111-1111-1111-111111111111'],
      },
      destination: {
        fullyQualifiedDomainName: 'api.payments.example',
        ipAddress: '203.0.113.80',
        port: 443,
        protocol: 'TCP',
      },
    }),
  },
]

/** A fresh record, as a proxy under some load makes one: its own id, and a few share their millisecond. */
function freshRecord(record: AccessRecord, index: number): AccessRecord {
  return { ...record, time: record.time + Math.floor(index / 8), correlationId: randomUUID() }
}

interface Cost {
  /** CPU of the whole process, user and system. */
  readonly microseconds: number
  readonly bytes: number
}

/**
 * What `accept` costs with everything behind it: numbering, formatting, batching, encoding. What the system takes for
 * the write itself is not in it, nor is what makes the record; the cost of making it is measured and taken off.
 */
export function measureAccept(record: AccessRecord, count: number): Cost {
  let bytes = 0
  const log = createAccessLog({
    file: '/dev/null',
    instance: 'gateway-1',
    boot: randomUUID(),
    flushIntervalMs: 100,
    bufferBytes: 16 * MiB,
    onFailure: 'deny',
    onRecovery: () => undefined,
    onProblem: (problem) => {
      throw new Error(problem)
    },
    now: Date.now,
    write: (_fd, _bytes, _offset, length, _position, callback) => {
      bytes += length
      callback(null, length)
    },
  })
  const whole = cpuOf(() => {
    for (let index = 0; index < count; index++) log.accept(freshRecord(record, index))
  })
  let kept: AccessRecord | undefined
  const making = cpuOf(() => {
    for (let index = 0; index < count; index++) kept = freshRecord(record, index)
  })
  if (kept === undefined || log.lost > 0) throw new Error('nothing was measured')
  void log.close(1)
  return { microseconds: (whole - making) / count, bytes: bytes / log.sequence }
}

/** What `JSON.stringify` takes for the same line, from an object that is ready, encoded likewise. */
export function measureStringify(record: AccessRecord, count: number): Cost {
  const format = createRecordFormat({ instance: 'gateway-1', boot: randomUUID() })
  const parsed = JSON.parse(format.record(record, 1)) as { properties: { sequence: number } }
  let bytes = 0
  let batch = ''
  const microseconds = cpuOf(() => {
    for (let sequence = 0; sequence < count; sequence++) {
      parsed.properties.sequence = sequence
      batch += `${JSON.stringify(parsed)}\n`
      if (batch.length < 64 * KiB) continue
      bytes += Buffer.from(batch, 'latin1').length
      batch = ''
    }
  })
  return { microseconds: microseconds / count, bytes: (bytes + batch.length) / count }
}

function cpuOf(work: () => void): number {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return user + system
}
