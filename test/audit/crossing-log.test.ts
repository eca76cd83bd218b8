import t from 'tap'
import { createCrossingLog, type CrossingLogOptions } from '../../src/audit/crossing-log.ts'
import { createRecordFormat } from '../../src/audit/format-record.ts'
import type { LineBatch } from '../../src/audit/line-batch.ts'
import { recordFrom } from '../support/record-parts.ts'

const origin = { instance: 'test', boot: 'boot' }
const record = recordFrom({ decision: { reason: 'unknown-resource' }, detail: 'why' })
const format = createRecordFormat(origin)
const lineLength = format.head(record).length + format.tail(record).length

function startLog(change: Partial<CrossingLogOptions> = {}) {
  const batches: LineBatch[] = []
  const waiting = new Int32Array(new SharedArrayBuffer(4))
  let accepted = 0
  let posted = Promise.withResolvers<void>()
  const log = createCrossingLog({
    ...origin,
    post(batch) {
      batches.push(batch)
      posted.resolve()
      posted = Promise.withResolvers()
    },
    waiting,
    maxWaitingBytes: 1_000_000,
    isBlocked: () => false,
    onFailure: 'deny',
    onRecord: () => accepted++,
    onProblem: () => undefined,
    now: () => 7,
    ...change,
  })
  return { log, batches, waiting, accepted: () => accepted, next: () => posted.promise }
}

/** The lines of a batch, numbered from 1. */
function linesOf({ text, cuts }: LineBatch): string[] {
  return cuts.flatMap((cut, index) => {
    if (index % 2 === 1) return []
    const start = index === 0 ? 0 : cuts[index - 1]
    return [text.slice(start, cut) + (index / 2 + 1) + text.slice(cut, cuts[index + 1])]
  })
}

void t.test('64 records are handed over at once, whole but for their numbers', async (t) => {
  const { log, batches, waiting } = startLog()
  for (let count = 0; count < 63; count++) log.accept(record)
  t.equal(batches.length, 0)
  log.accept(record)
  const [batch] = batches
  if (batch === undefined) throw new Error('a batch')
  t.same(
    linesOf(batch),
    Array.from({ length: 64 }, (_, index) => format.record(record, index + 1)),
  )
  t.equal(batch.lost, undefined)
  t.equal(Atomics.load(waiting, 0), 64 * lineLength)
})

void t.test('fewer are handed over within milliseconds, or when asked for', async (t) => {
  const { log, batches, next, accepted } = startLog()
  log.accept(record)
  log.accept(record)
  await next()
  t.equal(batches.length, 1)
  t.equal(batches[0]?.cuts.length, 4)
  log.accept(record)
  log.flush()
  t.equal(batches[1]?.cuts.length, 2)
  log.flush()
  t.equal(batches.length, 2, 'nothing is not handed over')
  t.equal(accepted(), 3)
})

void t.test(
  'more than may wait is lost, said with the next batch, and blocks new work',
  async (t) => {
    for (const { note, onFailure, blocks } of [
      { note: 'deny', onFailure: 'deny', blocks: true },
      { note: 'continue', onFailure: 'continue', blocks: false },
    ] as const) {
      const { log, batches, waiting, next, accepted } = startLog({
        onFailure,
        maxWaitingBytes: 64 * lineLength,
      })
      for (let count = 0; count < 64; count++) log.accept(record)
      t.equal(log.blocksNewWork, blocks, note)
      for (let count = 0; count < 3; count++) log.accept(record)
      await next()
      t.same(
        batches[1],
        { text: '', cuts: [], lost: { count: 3, firstTime: 7, lastTime: 7 } },
        note,
      )
      t.equal(accepted(), 67, `${note}: all are counted before`)
      // When the other side takes the first batch, there is room.
      Atomics.store(waiting, 0, 0)
      t.equal(log.blocksNewWork, false, note)
      log.accept(record)
      log.flush()
      t.equal(batches[2]?.cuts.length, 2, note)
      t.equal(batches[2]?.lost, undefined, `${note}: said once`)
    }
  },
)

void t.test('new work is blocked while the writer blocks it', async (t) => {
  let isBlocked = false
  const { log } = startLog({ isBlocked: () => isBlocked, onFailure: 'continue' })
  t.equal(log.blocksNewWork, false)
  isBlocked = true
  t.equal(log.blocksNewWork, true)
})

void t.test('a record that cannot be formatted is lost and harms nobody', async (t) => {
  const problems: string[] = []
  const { log, batches } = startLog({ onProblem: (problem) => problems.push(problem) })
  t.doesNotThrow(() => log.accept({ ...record, time: Number.NaN }))
  log.accept({ ...record, time: Number.NaN })
  log.accept(record)
  log.flush()
  t.equal(batches[0]?.lost?.count, 2)
  t.same(problems, ['bug: a record cannot be formatted and is lost'], 'said once')
  t.equal(batches[0]?.cuts.length, 2)
})

void t.test('a category that the perimeter switched off is not handed over', async (t) => {
  const { log, batches, accepted } = startLog()
  const parts = recordFrom({ decision: { resource: 'orders', category: 'NspOutboundAttempt' } })
  const { resource } = parts.decision
  const association = resource?.association
  if (resource === undefined || association === undefined) throw new Error('orders is associated')
  const perimeter = { ...association.perimeter, enabledLogCategories: new Set<string>(['other']) }
  const decision = {
    ...parts.decision,
    resource: { ...resource, association: { ...association, perimeter } },
  }
  log.accept({ ...parts, decision })
  log.flush()
  t.same([batches.length, accepted()], [0, 0])
})
