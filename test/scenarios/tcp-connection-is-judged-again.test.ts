import t from 'tap'
import { createDial, type Dial } from '../../src/transport/dial.ts'
import { openBank, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'

/** A connection lives as long as what is in force would let it in again. */

type Test = Parameters<typeof startInbound>[0]

async function startEcho(t: Test) {
  const origin = await startRawOrigin({ onData: (socket) => void socket.write('heard\n') })
  t.teardown(() => origin.close())
  return origin
}

void t.test(
  'a swap that does not let it in any more ends it, a swap that does not concern it leaves it',
  async (t) => {
    const origin = await startEcho(t)
    const open = openBank(origin.port)
    const ledger = { id: 'ledger', hosts: ['ledger.test'] }
    const cases: readonly {
      readonly note: string
      readonly next: InForceParts
      readonly goesOn: boolean
    }[] = [
      { note: 'the rule is withdrawn', next: openBank(origin.port, { office: [] }), goesOn: false },
      {
        note: 'the rule names somebody else as well',
        next: openBank(origin.port, { office: ['127.0.0.0/8', '192.0.2.0/24'] }),
        goesOn: true,
      },
      { note: 'the association is lost', next: { ...open, perimeters: [] }, goesOn: false },
      {
        note: 'Learning takes over from a rule',
        next: {
          ...open,
          perimeters: [
            { name: 'bank', associations: [{ resource: 'ledger', accessMode: 'Learning' }] },
          ],
        },
        goesOn: true,
      },
      { note: 'the listener is gone', next: { ...open, inbound: [] }, goesOn: false },
      {
        note: 'the listener is for another resource',
        next: {
          ...open,
          resources: [...(open.resources ?? []), { id: 'other', backend: 'tcp://127.0.0.1:1' }],
          perimeters: [
            {
              name: 'bank',
              profiles: [
                { name: 'books', accessRules: [{ name: 'all', addressPrefixes: ['0.0.0.0/0'] }] },
              ],
              associations: [{ resource: 'ledger' }, { resource: 'other' }],
            },
          ],
          inbound: [{ name: 'public', resource: 'other' }],
        },
        goesOn: false,
      },
      {
        note: 'the back end speaks HTTP now',
        next: {
          ...open,
          resources: [{ ...ledger, backend: `http://${origin.authority}` }],
          inbound: [{ name: 'public', resource: 'ledger', protocol: 'tcp' }],
        },
        goesOn: false,
      },
      {
        note: 'the back end is elsewhere, which only what is new is told',
        next: { ...open, resources: [{ ...ledger, backend: 'tcp://127.0.0.1:1' }] },
        goesOn: true,
      },
    ]
    for (const { note, next, goesOn } of cases) {
      await t.test(note, async (t) => {
        const world = await startInbound(t, open)
        const client = await connectRaw(world)
        t.teardown(() => client.destroy())
        client.send('one')
        await client.until('\n')
        const startedAt = performance.now()
        await world.reload(next)
        if (goesOn) {
          client.send('two')
          t.equal(await client.until('\n'), 'heard\n')
          t.equal(world.openConnections.size, 1)
          client.end()
          await client.rest()
          await world.quiet()
          t.match(world.records, [{ end: undefined }, { end: { closeReason: 'complete' } }])
          t.equal(
            world.records[1]?.decision.policyVersion,
            world.inForce.current()?.version,
            'the end line shows what allowed it last',
          )
        } else {
          t.equal((await client.rest()).how, 'reset')
          t.ok(performance.now() - startedAt < 2000)
          await world.quiet()
          t.match(world.records, [
            { decision: { effect: 'allow' }, end: undefined },
            { end: { bytesIn: 3, bytesOut: 6, closeReason: 'policy-revoked' } },
          ])
        }
      })
    }
  },
)

void t.test('a rule that is withdrawn during the dial lets not a byte through', async (t) => {
  const origin = await startEcho(t)
  const begun = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const dial: Dial = async (request) => {
    const dialled = await createDial()({ ...request, signal: new AbortController().signal })
    begun.resolve()
    await release.promise
    return dialled
  }
  const world = await startInbound(t, openBank(origin.port), { dial })
  const client = await connectRaw(world)
  client.send('secret')
  await begun.promise
  await world.reload(openBank(origin.port, { office: [] }))
  t.same(await client.rest(), { text: '', how: 'end' })
  release.resolve()
  client.end()
  await world.quiet()
  while (origin.sockets.size > 0) await new Promise((resolve) => setImmediate(resolve))
  t.equal(origin.accepted(), 1, 'it had been dialled already')
  t.same(origin.received, [''])
  t.match(world.records, [
    { decision: { effect: 'allow' }, end: undefined },
    { end: { bytesIn: 0, bytesOut: 0, closeReason: 'policy-revoked' } },
  ])
})

void t.test('nothing that is in force any more ends it', async (t) => {
  const origin = await startEcho(t)
  const world = await startInbound(t, openBank(origin.port))
  const client = await connectRaw(world)
  client.send('one')
  await client.until('\n')
  world.inForce.clear()
  await world.openConnections.judgeAgain('')
  t.equal((await client.rest()).how, 'reset')
  await world.quiet()
})
