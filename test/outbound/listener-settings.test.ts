import t from 'tap'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { enforced, listenerName, startProxy } from './proxy-fixture.ts'

const get = (port: number): string =>
  `GET http://api.example:${port}/ HTTP/1.1\r\nHost: api.example:${port}\r\n\r\n`
const connectTo = (port: number): string =>
  `CONNECT api.example:${port} HTTP/1.1\r\nHost: api.example:${port}\r\n\r\n`

function withListener(port: number, outbound: InForceParts['outbound']): InForceParts {
  return enforced(port, outbound === undefined ? {} : { outbound })
}

void t.test('an outbound listener speaks for its resource to its clients only', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const cases: readonly [note: string, outbound: InForceParts['outbound'], status: number][] = [
    ['no clients named: whoever can connect', [{ name: listenerName, resource: 'orders' }], 200],
    [
      'a client inside',
      [{ name: listenerName, resource: 'orders', clients: ['127.0.0.0/8'] }],
      200,
    ],
    [
      'a client outside',
      [{ name: listenerName, resource: 'orders', clients: ['10.0.0.0/8'] }],
      403,
    ],
    ['nobody named', [{ name: listenerName, resource: 'orders', clients: [] }], 403],
    ['no resource', [{ name: listenerName }], 403],
    ['a resource that nobody knows', [{ name: listenerName, resource: 'nowhere' }], 403],
  ]
  for (const [note, outbound, status] of cases) {
    await t.test(note, async (t) => {
      const proxy = await startProxy(t, withListener(origin.port, outbound))
      const client = await proxy.connect()
      client.send(get(origin.port))
      const answer = await client.response()
      t.equal(answer.status, status)
      const decision = proxy.records[0]?.decision
      t.equal(decision?.reason, status === 200 ? 'access-rule' : 'unknown-caller')
      if (status === 200) return
      t.equal(decision?.category, undefined, 'no resource is known')
      t.same(proxy.dialled, [])
    })
  }
})

void t.test('a reload changes clients and resource of a listener that runs', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const { port } = origin
  const allowed = withListener(port, [{ name: listenerName, resource: 'orders' }])
  const swaps: readonly [note: string, parts: InForceParts][] = [
    [
      'the client is no longer served',
      withListener(port, [{ name: listenerName, resource: 'orders', clients: ['10.0.0.0/8'] }]),
    ],
    ['the listener speaks for nobody', withListener(port, [{ name: listenerName }])],
    ['the listener is gone from settings', withListener(port, [])],
    [
      'it speaks for another member, which may reach the same',
      {
        ...allowed,
        resources: [{ id: 'orders' }, { id: 'other', publicNetworkAccess: 'Enabled' }],
        outbound: [{ name: listenerName, resource: 'other' }],
      },
    ],
  ]
  for (const [note, parts] of swaps) {
    await t.test(note, async (t) => {
      const raw = await startRawOrigin({})
      t.teardown(() => raw.close())
      const mayReach = (one: InForceParts): InForceParts => ({
        ...one,
        egress: { ...one.egress, ports: [port, raw.port] },
      })
      const proxy = await startProxy(t, mayReach(allowed))
      const client = await proxy.connect()
      client.send(get(port))
      t.equal((await client.response()).status, 200)
      const tunnel = await proxy.connect()
      tunnel.send(connectTo(raw.port))
      await tunnel.until('\r\n\r\n')
      await proxy.swap(mayReach(parts))
      t.equal((await tunnel.rest()).how, 'reset', 'what is open is judged by it')
      client.send(get(port))
      const { status } = await client.response()
      t.equal(status, note.startsWith('it speaks for another') ? 200 : 403)
    })
  }
})

void t.test('without anything in force everything is denied', async (t) => {
  const proxy = await startProxy(t, enforced(443))
  proxy.clear()
  const client = await proxy.connect()
  client.send(get(443))
  const answer = await client.response()
  t.equal(answer.status, 500)
  t.match(proxy.records[0]?.decision, { effect: 'deny', reason: 'internal-error' })
  client.send(connectTo(443))
  t.equal((await client.response()).status, 500)
  t.same(proxy.dialled, [])
})

void t.test('a listener that settings do not name cannot listen', async (t) => {
  await t.rejects(startProxy(t, withListener(443, [])), { code: 'RF_LISTEN' })
})
