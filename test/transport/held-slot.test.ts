import t from 'tap'
import { HeldSlot } from '../../src/transport/held-slot.ts'
import { createTunnelSlots } from '../../src/transport/tunnel-slots.ts'

void t.test('HeldSlot has one at a time and gives it back once', (t) => {
  const slots = createTunnelSlots()
  const held = new HeldSlot(slots)
  held.release()
  t.equal(slots.taken('a'), 0, 'nothing to give back')
  t.equal(held.take('a', 1), true)
  t.equal(held.take('a', 1), true, 'its own is no reason to refuse it')
  t.equal(slots.taken('a'), 1)
  t.equal(held.take('b', 1), true)
  t.equal(slots.taken('a'), 0)
  t.equal(slots.taken('b'), 1)
  held.release()
  held.release()
  t.equal(slots.taken('b'), 0)
  t.end()
})

void t.test('HeldSlot gives back nothing that it could not take', (t) => {
  const slots = createTunnelSlots()
  slots.take('a', 1)
  const held = new HeldSlot(slots)
  t.equal(held.take('a', 1), false)
  held.release()
  t.equal(slots.taken('a'), 1)
  t.end()
})
