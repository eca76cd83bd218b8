import { connect } from 'node:net'
import t from 'tap'
import { createDial, type Dial } from '../../src/transport/dial.ts'
import { openBank, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import type { CancelSignal } from '../../src/transport/cancellation.ts'

/** An allowed connection that cannot be joined: its record stays an allow, its end line says why, its client sees an end. */

/** A dial that tells when it begins and waits to be let go on. */
function heldDial() {
  const begun = Promise.withResolvers<CancelSignal | undefined>()
  const release = Promise.withResolvers<void>()
  const dial: Dial = async (request) => {
    begun.resolve(request.signal)
    await release.promise
    return createDial()(request)
  }
  return { dial, begun: begun.promise, release: () => release.resolve() }
}

void t.test('a back end that cannot be reached is an end, and an end line', async (t) => {
  const cases: readonly {
    readonly note: string
    readonly backend?: string
    readonly dial?: Dial
    readonly closeReason: string
  }[] = [
    { note: 'nobody listens there', backend: 'tcp://127.0.0.1:1', closeReason: 'connect-refused' },
    { note: 'its name is none', backend: 'tcp://nobody.invalid:5432', closeReason: 'dns-failed' },
    {
      note: 'it does not answer',
      dial: async () => ({ kind: 'failed', reason: 'connect-timeout' }),
      closeReason: 'connect-timeout',
    },
    {
      note: 'a fault of ours',
      dial: () => Promise.reject(new Error('a bug')),
      closeReason: 'internal-error',
    },
  ]
  for (const { note, backend, dial, closeReason } of cases) {
    await t.test(note, async (t) => {
      const bank = openBank(1)
      const resources = backend === undefined ? bank.resources : [{ id: 'ledger', backend }]
      const world = await startInbound(
        t,
        { ...bank, ...(resources && { resources }) },
        { ...(dial && { dial }) },
      )
      const client = await connectRaw(world)
      // More than is taken from the kernel before anybody reads it.
      client.send('x'.repeat(1_000_000))
      t.same(await client.rest(), { text: '', how: 'end' }, 'no reset, although nobody read')
      client.end()
      await world.quiet()
      t.match(world.records, [
        { decision: { effect: 'allow', reason: 'access-rule' }, end: undefined },
        { decision: { effect: 'allow' }, end: { bytesIn: 0, bytesOut: 0, closeReason } },
      ])
      t.equal(world.proxy.open, 0)
      t.equal(world.openConnections.size, 0)
      t.equal(world.complaints.length, closeReason === 'internal-error' ? 1 : 0)
    })
  }
})

void t.test('name and connection together have the time of `connectMs`', async (t) => {
  let timeoutMs = 0
  const dial: Dial = async (request) => {
    timeoutMs = request.timeoutMs
    return { kind: 'failed', reason: 'connect-timeout' }
  }
  const world = await startInbound(t, openBank(1, { timeouts: { connectMs: 1234 } }), { dial })
  const client = await connectRaw(world)
  await client.rest()
  client.destroy()
  t.ok(timeoutMs > 1000 && timeoutMs <= 1234, `${timeoutMs}`)
})

void t.test('a client that goes away meanwhile leaves nothing behind', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const held = heldDial()
  const world = await startInbound(t, openBank(origin.port), { dial: held.dial })
  const client = connect({ port: world.port, host: '127.0.0.1' })
  client.on('error', () => {})
  client.write('hello')
  const signal = await held.begun
  t.equal(world.proxy.open, 1)
  t.equal(signal?.aborted, false)
  client.resetAndDestroy()
  const end = await world.record((record) => record.end !== undefined)
  t.equal(signal?.aborted, true, 'nobody waits for the dial any more')
  t.equal(end.end?.closeReason, 'client-reset')
  t.equal(world.openConnections.size, 0)
  held.release()
  await world.quiet()
  while (origin.sockets.size > 0) await new Promise((resolve) => setImmediate(resolve))
  t.same(origin.received.join(''), '', 'not a byte went on')
  t.equal(world.records.length, 2)
})

void t.test('closing ends what is being joined', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const held = heldDial()
  const world = await startInbound(t, openBank(origin.port), { dial: held.dial })
  const client = await connectRaw(world)
  await held.begun
  const closed = world.proxy.close()
  t.equal((await client.rest()).text, '')
  client.destroy()
  await closed
  t.match(world.records.at(-1), { end: { closeReason: 'drain-timeout' } })
  held.release()
  await world.quiet()
})
