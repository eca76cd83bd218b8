import t from 'tap'
import { createTally, exchangeIndex } from '../../src/admin/tally.ts'
import { figure } from '../../src/compose/thread-calls.ts'
import { createSharedFigures, type ThreadFigures } from '../../src/compose/thread-figures.ts'

const key = '/subscriptions/s/orders'

function accept({ memory }: ThreadFigures, count: number): void {
  memory.figures[figure.records] = (memory.figures[figure.records] ?? 0) + count
}

function batch(lines: number, lost = 0) {
  return {
    text: 'x'.repeat(10 * lines),
    cuts: Array.from({ length: 2 * lines }, (_, index) => 5 * (index + 1)),
    lost: lost === 0 ? undefined : { count: lost, firstTime: 1, lastTime: 2 },
  }
}

void t.test('settle: what was accepted and never handed over is lost, once', async (t) => {
  const [thread] = createSharedFigures(1).threads
  if (thread === undefined) throw new Error('one thread')
  t.equal(thread.settle(7), undefined, 'nothing was accepted')
  accept(thread, 10)
  Atomics.add(thread.memory.waiting, 0, 1000)
  thread.take(batch(6, 1))
  t.equal(Atomics.load(thread.memory.waiting, 0), 1000 - 60, 'taken off')
  t.same(thread.settle(7), { count: 3, firstTime: 7, lastTime: 7 })
  t.equal(thread.settle(8), undefined, 'not twice')
  t.equal(Atomics.load(thread.memory.waiting, 0), 0)
  accept(thread, 2)
  thread.take(batch(2))
  t.equal(thread.settle(9), undefined, 'the one that took its place')
})

void t.test('settle: what it had open is over, and its slots are free', async (t) => {
  const shared = createSharedFigures(2)
  const [first, second] = shared.threads
  if (first === undefined || second === undefined) throw new Error('two threads')
  for (const { memory } of shared.threads) createTally(memory.counts).opened('tunnel', 'Outbound')
  const slots = shared.slotsOf([key]).get(key)
  if (slots === undefined) throw new Error('has slots')
  slots.set([3, 4])
  first.memory.figures[figure.open] = 5
  second.memory.figures[figure.open] = 6
  second.memory.figures[figure.faults] = 2
  t.equal(shared.open, 11)
  first.settle(0)
  const at = exchangeIndex('tunnel', 'Outbound')
  t.same(
    shared.threads.map(({ memory }) => [memory.counts.begun[at], memory.counts.over[at]]),
    [
      [1, 1],
      [1, 0],
    ],
  )
  t.same([...slots], [0, 4])
  t.equal(shared.open, 6)
  t.equal(shared.faults, 2)
})

void t.test('resources keep their figures over a reload, and slots for ever', async (t) => {
  const shared = createSharedFigures(1)
  const before = shared.resourcesOf([key])
  shared.setResources(before)
  const slots = shared.slotsOf([key]).get(key)
  t.equal(shared.resourcesOf([key, 'other'])[0]?.get(key), before[0]?.get(key))
  t.same([...(shared.resourcesOf(['other'])[0]?.keys() ?? [])], ['', 'other'])
  t.equal(
    shared.threads[0]?.memory.counts.resources,
    before[0],
    'as long as nothing else is in force',
  )
  shared.slotsOf(['other'])
  t.equal(shared.slotsOf([key]).get(key), slots)
})
