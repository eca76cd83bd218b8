import t from 'tap'
import { createTunnelSlots, type TunnelSlots } from '../../src/transport/tunnel-slots.ts'
import { type InboundWorld, openBank, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { type InForceParts, resourceId } from '../support/settings-parts.ts'

/** What happens between the decision on a connection and its registration: slots, and policies that overtake it. */

const ledger = resourceId('ledger').key
const other = resourceId('other').key

/** Slots that do something when the first is asked for: after the decision, before what it allows is registered. */
function slotsWith(onTake: () => void): TunnelSlots {
  const slots = createTunnelSlots()
  let isFirst = true
  return {
    ...slots,
    take(resource, limit) {
      if (isFirst) onTake()
      isFirst = false
      return slots.take(resource, limit)
    },
  }
}

async function startOvertaken(t: Parameters<typeof startInbound>[0], next: () => InForceParts) {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('heard\n') })
  t.teardown(() => origin.close())
  const started: { world?: InboundWorld } = {}
  const slots = slotsWith(() => void started.world?.inForce.swap(next()))
  const world = await startInbound(t, openBank(origin.port), { slots })
  started.world = world
  return { world, slots, origin }
}

void t.test('a slot that another thread takes first is none', async (t) => {
  const released: string[] = []
  // As with shared counts: there seemed to be room.
  const slots: TunnelSlots = {
    taken: () => 0,
    take: () => false,
    release: (resource) => released.push(resource),
  }
  const world = await startInbound(t, openBank(1), { slots })
  const client = await connectRaw(world)
  t.same(await client.rest(), { text: '', how: 'end' })
  client.end()
  await world.quiet()
  t.match(world.records, [{ decision: { effect: 'deny', reason: 'limit' } }])
  t.same(released, [], 'what was not taken is not given back')
  t.equal(world.openConnections.size, 0)
})

void t.test(
  'a policy that overtakes the decision and forbids it gives the slot back',
  async (t) => {
    const { world, slots, origin } = await startOvertaken(t, () => openBank(1, { office: [] }))
    const client = await connectRaw(world)
    client.send('hello')
    t.same(await client.rest(), { text: '', how: 'end' })
    client.end()
    await world.quiet()
    t.match(world.records, [{ decision: { effect: 'deny', reason: 'no-matching-rule' } }])
    t.equal(slots.taken(ledger), 0)
    t.equal(origin.accepted(), 0)
  },
)

void t.test(
  'one that gives the listener to another resource is followed, slot and all',
  async (t) => {
    const second = await startRawOrigin({ onData: (socket) => void socket.write('elsewhere\n') })
    t.teardown(() => second.close())
    const { world, slots, origin } = await startOvertaken(t, () => ({
      resources: [{ id: 'other', backend: `tcp://${second.authority}` }],
      perimeters: [
        {
          name: 'bank',
          profiles: [
            { name: 'p', accessRules: [{ name: 'all', addressPrefixes: ['127.0.0.0/8'] }] },
          ],
          associations: [{ resource: 'other' }],
        },
      ],
      inbound: [{ name: 'public', resource: 'other' }],
    }))
    const client = await connectRaw(world)
    client.send('hello')
    t.equal(await client.until('\n'), 'elsewhere\n')
    t.equal(slots.taken(ledger), 0)
    t.equal(slots.taken(other), 1)
    t.equal(origin.accepted(), 0)
    client.end()
    await client.rest()
    await world.quiet()
    t.equal(slots.taken(other), 0)
    t.match(world.records[0], {
      decision: { effect: 'allow', resource: { id: { name: 'other' } } },
    })
  },
)
