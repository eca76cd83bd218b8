import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { startRawOrigin } from '../support/origin.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { enforced, startProxy, withoutRules } from './proxy-fixture.ts'
import { whenAborted } from '../support/when-aborted.ts'
import type { CancelSignal } from '../../src/transport/cancellation.ts'

const connectTo = (authority: string, more = ''): string =>
  `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${more}\r\n`

void t.test('ConnectRequest carries bytes both ways once a rule allows the name', async (t) => {
  const origin = await startRawOrigin({
    onData: (socket, text) => void socket.write(`echo ${text}`),
  })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  client.send(`CONNECT API.example.:${origin.port} HTTP/1.1\r\nHost: api.example\r\n\r\n`)
  const head = await client.until('\r\n\r\n')
  t.match(head, /^HTTP\/1\.1 200 /)
  t.match(head, /^x-ms-request-id: id-1\r$/m)
  client.send('hello')
  await client.until('echo hello')
  client.end()
  t.same(await client.rest(), { text: '', how: 'end' })
  const line = await proxy.endLine()
  t.match(line.end, { bytesIn: 5, bytesOut: 10, closeReason: 'complete' })
  t.match(line.decision, { reason: 'access-rule', rule: 'api', effect: 'allow' })
  t.match(line.destination, {
    fullyQualifiedDomainName: 'api.example',
    ipAddress: '127.0.0.1',
    port: origin.port,
  })
  t.match(proxy.records[0], { operationName: 'CONNECT', end: undefined })
  t.equal(proxy.records.length, 2, 'one record of the decision and one of the end')
  t.same(
    proxy.ended
      .filter(({ kind }) => kind !== 'connection')
      .map(({ kind, status }) => [kind, status]),
    [
      ['request', 200],
      ['tunnel', undefined],
    ],
  )
})

void t.test('ConnectRequest refuses with a whole answer and closes', async (t) => {
  const proxy = await startProxy(t, enforced(443))
  const client = await proxy.connect()
  client.send(connectTo('other.example:443'))
  const answer = await client.response()
  t.equal(answer.status, 403)
  t.equal(answer.header('content-type'), 'application/json')
  t.equal(answer.header('x-ms-error-code'), 'NetworkSecurityPerimeterDenied')
  t.equal(answer.header('x-ms-request-id'), 'id-1')
  t.match(JSON.parse(answer.body), {
    error: {
      code: 'NetworkSecurityPerimeterDenied',
      innererror: {
        reason: 'no-matching-rule',
        correlationId: 'id-1',
        destination: 'other.example:443',
        profile: 'web',
        suggestedRule:
          '{ name: to-other.example, direction: Outbound, fullyQualifiedDomainNames: [other.example] }',
      },
    },
  })
  t.equal((await client.rest()).how, 'end')
  t.same(proxy.resolved, [])
  t.same(proxy.dialled, [])
  t.equal(proxy.records.length, 1)
  t.match(proxy.records[0], {
    decision: { effect: 'deny', category: 'NspPublicOutboundPerimeterRulesDenied' },
    destination: { fullyQualifiedDomainName: 'other.example', port: 443 },
  })
})

void t.test('ConnectRequest says that the port is missing, where it is', async (t) => {
  const proxy = await startProxy(t, enforced(443))
  const client = await proxy.connect()
  client.send(connectTo('api.example'))
  const { status, body } = await client.response()
  t.equal(status, 400)
  t.match(body, 'CONNECT names host and port')
  t.match(proxy.records, [{ detail: 'CONNECT target is not host:port' }])
})

void t.test('ConnectRequest forwards early bytes once it is connected, never before', async (t) => {
  for (const [note, together] of [
    ['in the same packet as the head', true],
    ['in a packet of their own, while it dials', false],
  ] as const) {
    await t.test(note, async (t) => {
      const origin = await startRawOrigin({})
      t.teardown(() => origin.close())
      const dialling = Promise.withResolvers<void>()
      const mayDial = Promise.withResolvers<void>()
      const proxy = await startProxy(t, enforced(origin.port), {
        dial: (real) => async (request) => {
          dialling.resolve()
          await mayDial.promise
          return real(request)
        },
      })
      const client = await proxy.connect()
      const head = connectTo(`api.example:${origin.port}`)
      client.send(together ? `${head}early` : head)
      await dialling.promise
      if (!together) client.send('early')
      t.equal(client.pending, '', 'no 200 yet')
      t.same(origin.received, [])
      mayDial.resolve()
      await client.until('\r\n\r\n')
      client.send(' late')
      client.end()
      await client.rest()
      t.same(origin.received, ['early late'])
      t.equal((await proxy.endLine()).end?.bytesIn, 10)
    })
  }
})

void t.test('ConnectRequest drops early bytes of what it refuses', async (t) => {
  const proxy = await startProxy(t, enforced(443))
  const client = await proxy.connect()
  client.send(
    `${connectTo('other.example:443')}GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n`,
  )
  t.equal((await client.response()).status, 403)
  t.same(await client.rest(), { text: '', how: 'end' })
  t.equal(proxy.records.length, 1, 'what follows a refused CONNECT is not read')
})

void t.test('ConnectRequest lets each side close its half', async (t) => {
  await t.test('the client first', async (t) => {
    const origin = await startRawOrigin({
      onConnection: (socket) => {
        socket.removeAllListeners('end')
        socket.on('end', () => socket.end('after your end'))
      },
    })
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(connectTo(`api.example:${origin.port}`))
    await client.until('\r\n\r\n')
    client.send('all of it')
    client.end()
    t.same(await client.rest(), { text: 'after your end', how: 'end' })
    t.same(origin.received, ['all of it'])
  })
  await t.test('the destination first', async (t) => {
    const origin = await startRawOrigin({ onConnection: (socket) => void socket.end('banner') })
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(connectTo(`api.example:${origin.port}`))
    await client.until('\r\n\r\nbanner')
    t.same(await client.rest(), { text: '', how: 'end' })
    client.send('still talking')
    client.end()
    await proxy.endLine()
    t.same(origin.received, ['still talking'])
  })
  await t.test('the client before it is connected, behind its early bytes', async (t) => {
    const origin = await startRawOrigin({})
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(`${connectTo(`api.example:${origin.port}`)}early`)
    client.end()
    t.match((await client.rest()).text, /^HTTP\/1\.1 200 /)
    t.same(origin.received, ['early'])
  })
})

void t.test('ConnectRequest says why a destination could not be reached', async (t) => {
  const closed = await startRawOrigin({})
  await closed.close()
  const cases: readonly {
    note: string
    reason: string
    status: number
    authority?: string
    options?: Parameters<typeof startProxy>[2]
    parts?: Partial<InForceParts>
  }[] = [
    { note: 'nobody listens', reason: 'connect-refused', status: 502 },
    {
      note: 'nobody answers in time',
      reason: 'connect-timeout',
      status: 504,
      options: {
        dial: () => async () => ({ kind: 'failed', reason: 'connect-timeout' }),
      },
    },
    {
      note: 'the name does not exist',
      reason: 'dns-failed',
      status: 502,
      parts: { egress: { ports: [closed.port], hosts: {} } },
    },
    {
      note: 'the name server does not answer',
      reason: 'dns-timeout',
      status: 504,
      parts: { egress: { ports: [closed.port], hosts: {} } },
      options: { resolve: async () => ({ kind: 'failed', reason: 'dns-timeout' }) },
    },
  ]
  for (const { note, reason, status, options, parts } of cases) {
    await t.test(note, async (t) => {
      const proxy = await startProxy(t, enforced(closed.port, parts), options)
      const client = await proxy.connect()
      client.send(connectTo(`api.example:${closed.port}`))
      const answer = await client.response()
      t.equal(answer.status, status)
      t.equal(JSON.parse(answer.body).error.innererror.reason, reason)
      t.equal((await client.rest()).how, 'end')
      t.same(
        proxy.records.map(({ decision, end }) => [decision.effect, end?.closeReason]),
        [
          ['allow', undefined],
          ['allow', reason],
        ],
      )
    })
  }
})

void t.test('ConnectRequest stops working for a client that goes away', async (t) => {
  const leaving: readonly [string, (socket: Socket) => void][] = [
    ['by a reset', (socket) => void socket.resetAndDestroy()],
    ['by closing', (socket) => void socket.destroy()],
  ]
  for (const [how, leave] of leaving) {
    await t.test(`while a name is resolved, ${how}`, async (t) => {
      const asked = Promise.withResolvers<void>()
      const proxy = await startProxy(t, enforced(443, { egress: { ports: [443], hosts: {} } }), {
        resolve: async () => {
          asked.resolve()
          return new Promise(() => undefined)
        },
      })
      const client = await proxy.connect()
      client.send(connectTo('api.example:443'))
      await asked.promise
      leave(client.stream as Socket)
      t.equal((await proxy.endLine()).end?.closeReason, 'client-closed')
      t.equal(proxy.proxy.open, 0)
      t.same(proxy.dialled, [])
    })
    await t.test(`while it dials, ${how}`, async (t) => {
      const dialling = Promise.withResolvers<CancelSignal | undefined>()
      const proxy = await startProxy(t, enforced(443), {
        dial:
          () =>
          async ({ signal }) => {
            dialling.resolve(signal)
            await whenAborted(signal)
            return { kind: 'failed', reason: 'connect-failed' }
          },
      })
      const client = await proxy.connect()
      client.send(connectTo('api.example:443'))
      await dialling.promise
      leave(client.stream as Socket)
      t.equal((await proxy.endLine()).end?.closeReason, 'client-closed')
      t.equal(proxy.proxy.open, 0)
    })
  }
  await t.test('and destroys what the dial still brings', async (t) => {
    const origin = await startRawOrigin({})
    t.teardown(() => origin.close())
    const dialling = Promise.withResolvers<void>()
    const proxy = await startProxy(t, enforced(origin.port), {
      dial:
        (real) =>
        async ({ addresses, port, timeoutMs, signal }) => {
          const dialled = await real({ addresses, port, timeoutMs })
          dialling.resolve()
          await whenAborted(signal)
          return dialled
        },
    })
    const client = await proxy.connect()
    client.send(connectTo(`api.example:${origin.port}`))
    await dialling.promise
    client.destroy()
    t.equal((await proxy.endLine()).end?.closeReason, 'client-closed')
    for (const socket of origin.sockets) if (!socket.destroyed) await once(socket, 'close')
    t.equal(origin.sockets.size, 0)
  })
})

void t.test('ConnectRequest ends with policy-revoked when its rule is withdrawn', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const parts = enforced(origin.port, {
    egress: {
      ports: [origin.port],
      hosts: { 'api.example': ['127.0.0.1'], 'kept.example': ['127.0.0.1'] },
      privateAddresses: { 'api.example': ['127.0.0.1'], 'kept.example': ['127.0.0.1'] },
    },
    perimeters: [
      {
        name: 'shop',
        profiles: [
          {
            name: 'web',
            accessRules: [
              { name: 'api', fullyQualifiedDomainNames: ['api.example'] },
              { name: 'kept', fullyQualifiedDomainNames: ['kept.example'] },
            ],
          },
        ],
        associations: [{ resource: 'orders', accessMode: 'Enforced' }],
      },
    ],
  })
  const proxy = await startProxy(t, parts)
  const client = await proxy.connect()
  client.send(connectTo(`api.example:${origin.port}`))
  await client.until('\r\n\r\n')
  const kept = await proxy.connect()
  kept.send(connectTo(`kept.example:${origin.port}`))
  await kept.until('\r\n\r\n')
  await proxy.swap({
    ...parts,
    perimeters: [
      {
        name: 'shop',
        profiles: [
          {
            name: 'web',
            accessRules: [{ name: 'kept', fullyQualifiedDomainNames: ['kept.example'] }],
          },
        ],
        associations: [{ resource: 'orders', accessMode: 'Enforced' }],
      },
    ],
  })
  t.equal((await client.rest()).how, 'reset')
  t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
  kept.send('still here')
  kept.end()
  await kept.rest()
  t.ok(origin.received.includes('still here'))
})

void t.test('ConnectRequest never lives on a decision that was withdrawn meanwhile', async (t) => {
  await t.test('inside the dial', async (t) => {
    const origin = await startRawOrigin({})
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port), {
      dial: (real, swap) => async (request) => {
        const dialled = await real(request)
        swap(withoutRules(origin.port))
        return dialled
      },
    })
    const client = await proxy.connect()
    client.send(`${connectTo(`api.example:${origin.port}`)}secret`)
    const answer = await client.response()
    t.equal(answer.status, 403)
    t.equal(JSON.parse(answer.body).error.innererror.reason, 'policy-revoked')
    t.equal((await client.rest()).how, 'end')
    t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
    t.same(origin.received.join(''), '', 'not a byte got through')
  })
  await t.test('while the name is resolved', async (t) => {
    const swapped = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const parts = enforced(443, { egress: { ports: [443], hosts: {} } })
    const proxy = await startProxy(t, parts, {
      resolve: async () => {
        asked.resolve()
        await swapped.promise
        return { kind: 'failed', reason: 'dns-failed' }
      },
    })
    const client = await proxy.connect()
    client.send(connectTo('api.example:443'))
    await asked.promise
    await proxy.swap(withoutRules(443))
    swapped.resolve()
    const answer = await client.response()
    t.equal(answer.status, 403)
    t.equal(JSON.parse(answer.body).error.innererror.reason, 'no-matching-rule')
    t.same(proxy.dialled, [])
    t.equal(proxy.records.length, 1, 'the final effect is a denial')
  })
  await t.test('but survives a swap that still allows it', async (t) => {
    const origin = await startRawOrigin({})
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port), {
      dial: (real, swap) => async (request) => {
        swap(enforced(origin.port, { limits: { headerCount: 99 } }))
        return real(request)
      },
    })
    const client = await proxy.connect()
    client.send(connectTo(`api.example:${origin.port}`))
    t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
  })
})
