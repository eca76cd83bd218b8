import t from 'tap'
import { sumCounts } from '../../src/admin/sum-counts.ts'
import {
  createCounts,
  createTally,
  exchangeIndex,
  followResources,
  sharedMemory,
  type Tally,
} from '../../src/admin/tally.ts'

const ended = {
  kind: 'request',
  direction: 'Inbound',
  resource: 'a',
  status: 200,
  bytesIn: 1,
  bytesOut: 20,
  durationMs: 3,
} as const

function tallyOf(keys: readonly string[]): Tally {
  const counts = createCounts(sharedMemory)
  const resources = followResources(counts.resources, { keys, allocate: sharedMemory })
  return createTally({ ...counts, resources })
}

void t.test('sumCounts adds up what several threads counted', async (t) => {
  const one = tallyOf(['a'])
  const other = tallyOf(['a', 'b'])
  for (const tally of [one, other, other]) {
    tally.opened('request', 'Inbound')
    tally.ended(ended)
  }
  other.ended({ ...ended, resource: 'b', bytesOut: 500 })
  const sum = sumCounts([one.counts, other.counts])
  t.same([...sum.resources.keys()], ['', 'a', 'b'])
  t.same([...(sum.resources.get('a')?.bytes ?? [])], [3, 60, 0, 0])
  t.same([...(sum.resources.get('b')?.bytes ?? [])], [1, 500, 0, 0])
  const at = exchangeIndex('request', 'Inbound')
  t.same([sum.begun[at], sum.over[at]], [3, 4])
  t.equal(sum.latency[0]?.sum[0], 12)
  t.equal(
    sum.latency[0]?.buckets.reduce((total, count) => total + count, 0),
    4,
  )
  t.same([...(one.counts.resources.get('a')?.bytes ?? [])], [1, 20, 0, 0], 'and changes none')
})

void t.test('sumCounts of one is what it counted', async (t) => {
  const tally = tallyOf(['a'])
  tally.ended(ended)
  t.same(sumCounts([tally.counts]), tally.counts)
})
