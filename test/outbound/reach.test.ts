import t from 'tap'
import { startRawOrigin } from '../support/origin.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { enforced, startProxy } from './proxy-fixture.ts'

const connectTo = (authority: string): string =>
  `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`

/** `api.example` on this port, with nothing granted to it and nothing fixed about it. */
function plain(port: number, more: Partial<InForceParts['egress']> = {}): InForceParts {
  return enforced(port, { egress: { ports: [port], hosts: {}, privateAddresses: {}, ...more } })
}

void t.test('reach refuses a name that leads only to what the guard keeps from it', async (t) => {
  for (const address of [
    '127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    '168.63.129.16',
    '0.0.0.0',
    '100.64.0.1',
    '::1',
    'fd00:ec2::254',
    '64:ff9b::a9fe:a9fe',
    '::ffff:127.0.0.1',
  ]) {
    await t.test(address, async (t) => {
      const proxy = await startProxy(t, plain(443), { dns: { 'api.example': [address] } })
      const client = await proxy.connect()
      client.send(connectTo('api.example:443'))
      const answer = await client.response()
      t.equal(answer.status, 403)
      const { error } = JSON.parse(answer.body)
      t.equal(error.innererror.reason, 'address-not-public')
      t.notMatch(answer.body, /169\.254|10\.0\.0/, 'the address itself is for the log')
      t.same(proxy.dialled, [])
      t.equal(proxy.records.length, 1)
      t.match(proxy.records[0]?.decision, { effect: 'deny', reason: 'address-not-public' })
      t.type(proxy.records[0]?.destination?.ipAddress, 'string')
      t.type(proxy.records[0]?.detail, 'string')
    })
  }
})

void t.test('reach holds the guard in Learning and Audit, too', async (t) => {
  for (const accessMode of ['Learning', 'Audit'] as const) {
    const parts: InForceParts = {
      ...plain(443),
      perimeters: [{ name: 'shop', associations: [{ resource: 'orders', accessMode }] }],
    }
    const proxy = await startProxy(t, parts, { dns: { 'inside.example': ['10.0.0.1'] } })
    const client = await proxy.connect()
    client.send(connectTo('inside.example:443'))
    t.equal((await client.response()).status, 403, accessMode)
    t.same(proxy.dialled, [])
  }
})

void t.test('reach judges literals by the guard and never asks for them', async (t) => {
  const parts: InForceParts = {
    ...plain(443),
    perimeters: [{ name: 'shop', associations: [{ resource: 'orders', accessMode: 'Learning' }] }],
  }
  for (const [authority, reason] of [
    ['127.0.0.1:443', 'address-not-public'],
    ['[::ffff:7f00:1]:443', 'address-not-public'],
    ['[::1]:443', 'address-not-public'],
    ['192.0.2.1:443', 'address-not-public'],
    ['9.9.9.9:443', undefined],
  ] as const) {
    await t.test(authority, async (t) => {
      const proxy = await startProxy(t, parts, {
        dial: () => async () => ({ kind: 'failed', reason: 'connect-refused' }),
      })
      const client = await proxy.connect()
      client.send(connectTo(authority))
      const answer = await client.response()
      const { innererror } = JSON.parse(answer.body).error
      t.equal(innererror.reason, reason ?? 'connect-refused')
      t.same(proxy.resolved, [])
      t.same(proxy.dialled, reason === undefined ? ['9.9.9.9:443'] : [])
    })
  }
})

void t.test('reach dials only the vetted of mixed answers, in their order', async (t) => {
  const proxy = await startProxy(t, plain(443), {
    dns: { 'api.example': ['10.0.0.1', '9.9.9.9', '127.0.0.1', '1.1.1.1'] },
    dial: () => async () => ({ kind: 'failed', reason: 'connect-refused' }),
  })
  const client = await proxy.connect()
  client.send(connectTo('api.example:443'))
  t.equal((await client.response()).status, 502)
  t.same(proxy.dialled, ['9.9.9.9:443', '1.1.1.1:443'])
  t.equal(proxy.records[0]?.destination?.ipAddress, '9.9.9.9')
})

void t.test('reach fails over to the next vetted address', async (t) => {
  const origin = await startRawOrigin({ onConnection: (socket) => void socket.end('here') })
  t.teardown(() => origin.close())
  const parts = plain(origin.port, {
    privateAddresses: { 'api.example': ['127.0.0.1', '127.0.0.2'] },
  })
  const proxy = await startProxy(t, parts, {
    dns: { 'api.example': ['127.0.0.2', '127.0.0.1'] },
  })
  const client = await proxy.connect()
  client.send(connectTo(`api.example:${origin.port}`))
  await client.until('\r\n\r\nhere')
})

void t.test('reach takes fixed answers without asking, and guards them', async (t) => {
  const proxy = await startProxy(t, plain(443, { hosts: { 'api.example': ['10.0.0.1'] } }), {
    dns: { 'api.example': ['9.9.9.9'] },
  })
  const client = await proxy.connect()
  client.send(connectTo('api.example:443'))
  t.equal((await client.response()).status, 403)
  t.same(proxy.resolved, [])
})

void t.test('reach judges the address that was dialled again on every swap', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  client.send(connectTo(`api.example:${origin.port}`))
  await client.until('\r\n\r\n')
  await proxy.swap(plain(origin.port))
  t.equal((await client.rest()).how, 'reset', 'the grant of the address is gone, the rule is not')
  t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
})
