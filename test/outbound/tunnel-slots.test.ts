import t from 'tap'
import { TunnelSlots } from '../../src/outbound/tunnel-slots.ts'

void t.test('TunnelSlots counts each resource by itself', async (t) => {
  const slots = new TunnelSlots()
  t.ok(slots.take('one', 2))
  t.ok(slots.take('one', 2))
  t.notOk(slots.take('one', 2))
  t.ok(slots.take('two', 2))
  slots.release('one')
  t.ok(slots.take('one', 2))
  t.notOk(slots.take('one', 1), 'a limit that was lowered lets nobody in')
  t.notOk(slots.take('three', 0))
})

void t.test('TunnelSlots never has less than nothing', async (t) => {
  const slots = new TunnelSlots()
  slots.release('one')
  t.ok(slots.take('one', 1))
  t.notOk(slots.take('one', 1))
})
