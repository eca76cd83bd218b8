import t from 'tap'
import { createOpenConnections } from '../../src/transport/connections.ts'
import { createTunnelSlots, tunnelSlotsOf } from '../../src/transport/tunnel-slots.ts'

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
