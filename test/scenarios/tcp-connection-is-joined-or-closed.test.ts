import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { openBank, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'

/** One decision for each connection, over real sockets: joined to the back end, or closed without a word. */

async function startEcho(t: Parameters<typeof startInbound>[0]) {
  const origin = await startRawOrigin({
    onData: (socket, text) => void socket.write(`heard ${text.length}\n`),
  })
  t.teardown(() => origin.close())
  return origin
}

void t.test('who is let in is joined to the back end, with a record and an end line', async (t) => {
  const origin = await startEcho(t)
  const world = await startInbound(t, openBank(origin.port))
  const client = await connectRaw(world)
  client.send('hello')
  t.equal(await client.until('\n'), 'heard 5\n')
  t.equal(world.proxy.open, 1)
  t.equal(world.openConnections.size, 1)
  client.end()
  t.same(await client.rest(), { text: '', how: 'end' })
  await world.quiet()
  t.same(origin.received, ['hello'])
  t.equal(world.records.length, 2)
  t.match(world.records[0], {
    correlationId: 'correlation-1',
    operationName: 'TCP',
    serviceFqdn: undefined,
    source: { ipAddress: '127.0.0.1', protocol: 'TCP', resourceId: undefined },
    destination: undefined,
    decision: {
      effect: 'allow',
      reason: 'access-rule',
      rule: 'office',
      category: 'NspPublicInboundPerimeterRulesAllowed',
      resource: { id: { name: 'ledger' } },
    },
    end: undefined,
  })
  t.match(world.records[1], {
    correlationId: 'correlation-1',
    decision: { reason: 'access-rule' },
    end: { bytesIn: 5, bytesOut: 8, closeReason: 'complete' },
  })
  t.match(
    world.ended.find(({ kind }) => kind === 'tunnel'),
    { direction: 'Inbound', status: undefined, bytesIn: 5, bytesOut: 8 },
  )
  t.match(world.ended.find(({ kind }) => kind === 'tunnel')?.resource, /\/services\/ledger$/)
  t.equal(world.proxy.open, 0)
  t.equal(world.openConnections.size, 0)
  t.same(world.complaints, [])
})

void t.test('a back end that speaks first is heard', async (t) => {
  const origin = await startRawOrigin({ onConnection: (socket) => void socket.write('welcome\n') })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openBank(origin.port))
  const client = await connectRaw(world)
  t.equal(await client.until('\n'), 'welcome\n')
  client.destroy()
})

void t.test('who is not let in sees an orderly end, and nothing is dialled', async (t) => {
  const origin = await startEcho(t)
  const world = await startInbound(t, openBank(origin.port, { office: [] }))
  const cases: readonly { readonly note: string; readonly bytes: string }[] = [
    { note: 'a client that waits', bytes: '' },
    // Unread bytes at the moment of a close would make the kernel send a reset.
    { note: 'a client that speaks first', bytes: 'GET / HTTP/1.1\r\nHost: ledger.test\r\n\r\n' },
    { note: 'a client that speaks at length', bytes: 'x'.repeat(1_000_000) },
  ]
  for (const { note, bytes } of cases) {
    world.forget()
    const client = await connectRaw(world)
    client.send(bytes)
    t.same(await client.rest(), { text: '', how: 'end' }, note)
    client.end()
    await world.quiet()
    t.equal(world.records.length, 1, `${note}: one record, no end line`)
    t.match(world.records[0], {
      operationName: 'TCP',
      source: { ipAddress: '127.0.0.1', protocol: 'TCP' },
      decision: {
        effect: 'deny',
        reason: 'no-matching-rule',
        category: 'NspPublicInboundPerimeterRulesDenied',
      },
      end: undefined,
    })
  }
  t.equal(origin.accepted(), 0, 'the back end never saw anybody')
  t.equal(world.openConnections.size, 0)
  t.notOk(world.ended.some(({ kind }) => kind === 'tunnel'))
})

void t.test('who is not let in and stays is cut off after a while', async (t) => {
  const world = await startInbound(t, openBank(1, { office: [] }))
  const client = connect({ port: world.port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => client.destroy())
  client.on('error', () => {})
  client.resume()
  await once(client, 'end')
  const endedAt = performance.now()
  await world.quiet()
  t.ok(performance.now() - endedAt < 8000, 'although it never ends its side')
})

void t.test('the stages decide as they do for requests', async (t) => {
  const origin = await startEcho(t)
  const bank = openBank(origin.port, { office: [] })
  const ledger = { id: 'ledger', hosts: ['ledger.test'], backend: `tcp://${origin.authority}` }
  const associated = (accessMode: 'Learning' | 'Audit'): InForceParts => ({
    ...bank,
    perimeters: [{ name: 'bank', associations: [{ resource: 'ledger', accessMode }] }],
  })
  const cases: readonly {
    readonly note: string
    readonly parts: InForceParts
    readonly localAddress?: string
    readonly isOpen: boolean
    readonly decision: object
  }[] = [
    {
      note: 'Learning lets in and says what Enforced would have done',
      parts: associated('Learning'),
      isOpen: true,
      decision: {
        effect: 'allow',
        reason: 'resource-rules',
        enforcedEffect: 'deny',
        category: 'NspPublicInboundResourceRulesAllowed',
      },
    },
    {
      note: "Learning still asks the resource's own rules",
      parts: {
        ...associated('Learning'),
        resources: [{ ...ledger, firewall: { defaultAction: 'Deny', ipRules: ['127.0.0.2/32'] } }],
      },
      isOpen: false,
      decision: { effect: 'deny', reason: 'resource-rules' },
    },
    {
      note: 'Audit',
      parts: associated('Audit'),
      isOpen: true,
      decision: { effect: 'allow', reason: 'audit-mode', enforcedEffect: 'deny' },
    },
    {
      note: 'locked down without an association',
      parts: { ...bank, perimeters: [] },
      isOpen: false,
      decision: { effect: 'deny', reason: 'locked-down' },
    },
    {
      note: 'a private endpoint',
      parts: {
        ...bank,
        inbound: [
          { name: 'public', resource: 'ledger', network: 'private', clients: ['127.0.0.2/32'] },
        ],
      },
      localAddress: '127.0.0.2',
      isOpen: true,
      decision: {
        effect: 'allow',
        reason: 'private-endpoint',
        category: 'NspPrivateInboundAllowed',
        trafficType: 'Private',
      },
    },
    {
      note: 'another client of the same listener',
      parts: {
        ...bank,
        inbound: [
          { name: 'public', resource: 'ledger', network: 'private', clients: ['127.0.0.2/32'] },
        ],
      },
      isOpen: false,
      decision: { effect: 'deny', reason: 'no-matching-rule', trafficType: 'Public' },
    },
  ]
  for (const { note, parts, localAddress, isOpen, decision } of cases) {
    await t.test(note, async (t) => {
      const world = await startInbound(t, parts)
      const client = await connectRaw({ ...world, ...(localAddress && { localAddress }) })
      t.teardown(() => client.destroy())
      client.send('hello')
      if (isOpen) t.equal(await client.until('\n'), 'heard 5\n')
      else t.same(await client.rest(), { text: '', how: 'end' })
      t.match(world.records[0], { decision })
    })
  }
})

void t.test('nothing in force closes', async (t) => {
  const origin = await startEcho(t)
  const world = await startInbound(t, openBank(origin.port))
  world.inForce.clear()
  const client = await connectRaw(world)
  client.send('hello')
  t.equal((await client.rest()).text, '')
  client.destroy()
  t.equal(origin.accepted(), 0)
  await world.quiet()
})
