import t from 'tap'
import { createOpenConnections } from '../../src/transport/connections.ts'
import {
  createSharedTunnelSlots,
  createTunnelSlots,
  setTunnelSlots,
  tunnelSlotsOf,
} from '../../src/transport/tunnel-slots.ts'

void t.test('createTunnelSlots counts each resource by itself', async (t) => {
  const slots = createTunnelSlots()
  t.ok(slots.take('one', 2))
  t.ok(slots.take('one', 2))
  t.notOk(slots.take('one', 2))
  t.ok(slots.take('two', 2))
  slots.release('one')
  t.ok(slots.take('one', 2))
  t.notOk(slots.take('one', 1), 'a limit that was lowered lets nobody in')
  t.notOk(slots.take('three', 0))
})

void t.test('createTunnelSlots never has less than nothing', async (t) => {
  const slots = createTunnelSlots()
  slots.release('one')
  t.ok(slots.take('one', 1))
  t.notOk(slots.take('one', 1))
})

void t.test('tunnelSlotsOf: whoever shares what is open shares the count', async (t) => {
  const [one, other] = [1, 2].map(() => createOpenConnections({ version: () => '' }))
  if (one === undefined || other === undefined) throw new Error('two were made')
  t.equal(tunnelSlotsOf(one), tunnelSlotsOf(one))
  t.not(tunnelSlotsOf(one), tunnelSlotsOf(other))
})

void t.test('createSharedTunnelSlots: the limit holds for all threads together', async (t) => {
  const counts = new Int32Array(new SharedArrayBuffer(8))
  const shared = new Map([['a', counts]])
  const first = createSharedTunnelSlots(0, () => shared)
  const second = createSharedTunnelSlots(1, () => shared)
  t.equal(first.take('a', 3), true)
  t.equal(second.take('a', 3), true)
  t.equal(second.take('a', 3), true)
  t.equal(first.take('a', 3), false)
  t.equal(second.take('a', 3), false)
  t.same([...counts], [1, 2], 'a refusal takes nothing')
  t.equal(first.taken('a'), 3)
  second.release('a')
  t.equal(first.take('a', 3), true)
  t.same([...counts], [2, 1])
  t.equal(first.take('unknown', 3), false, 'what nobody knows gets none')
  first.release('unknown')
})

void t.test('setTunnelSlots: all listeners count in what was given', async (t) => {
  const openConnections = createOpenConnections({ version: () => '' })
  const given = createTunnelSlots()
  setTunnelSlots(openConnections, given)
  t.equal(tunnelSlotsOf(openConnections), given)
})
