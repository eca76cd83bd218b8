import { getHeapStatistics } from 'node:v8'
import t from 'tap'
import { collectGarbage } from '../../src/compose/collect-garbage.ts'

void t.test('collectGarbage gives back what nobody holds', async (t) => {
  let held: unknown[] | undefined = Array.from({ length: 1_000_000 }, (_, index) => ({ index }))
  const before = getHeapStatistics().total_heap_size
  t.equal(held.length, 1_000_000)
  held = undefined
  collectGarbage()
  t.ok(getHeapStatistics().total_heap_size < before - 10_000_000)
})
