import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { duplexPair, type Duplex } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { once } from 'node:events'
import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import { rawClientOver } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { enforced, listenerName, startProxy } from './proxy-fixture.ts'

/** Members of the perimeter as destinations: fronted by this instance, or known as peers. */

function members(more: Partial<InForceParts> = {}): InForceParts {
  return enforced(443, {
    resources: [
      { id: 'orders', hosts: ['orders.local'], backend: 'http://127.0.0.1:1' },
      { id: 'vault', hosts: ['vault.local'], backend: 'http://127.0.0.1:1' },
      { id: 'foreign', hosts: ['foreign.local'], backend: 'http://127.0.0.1:1' },
    ],
    perimeters: [
      {
        name: 'shop',
        associations: [
          { resource: 'orders', accessMode: 'Enforced' },
          { resource: 'vault', accessMode: 'Enforced' },
        ],
      },
    ],
    ...more,
  })
}

/** Stands in for the inbound side: a stream whose other end is an HTTP server. */
function serveHttp(handle: (request: IncomingMessage, response: ServerResponse) => void): {
  deliver: () => Duplex
  seen: IncomingMessage[]
} {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    handle(request, response)
  })
  return {
    seen,
    deliver() {
      const [near, far] = duplexPair()
      server.emit('connection', far)
      return near
    },
  }
}

void t.test(
  'a member fronted here is delivered to in-process, never resolved or dialled',
  async (t) => {
    const inbound = serveHttp((request, response) => {
      response.writeHead(200, { 'x-seen': String(request.headers.host) })
      request.pipe(response)
    })
    const proxy = await startProxy(t, members(), { deliver: inbound.deliver })
    const client = await proxy.connect()
    for (const body of ['one', 'two']) {
      client.send(
        `POST http://VAULT.local:8443/secrets?x HTTP/1.1\r\nHost: vault.local:8443\r\nX-NSP-Resource-Id: forged\r\nContent-Length: 3\r\n\r\n${body}`,
      )
      const answer = await client.response()
      t.equal(answer.status, 200)
      t.equal(answer.body, body)
    }
    client.send(
      'PUT http://vault.local:8443/ HTTP/1.1\r\nHost: vault.local:8443\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    )
    t.equal((await client.response()).body, 'abc')
    t.same(proxy.resolved, [])
    t.same(proxy.dialled, [])
    t.equal(proxy.delivered.length, 3, 'a stream for each request')
    t.match(proxy.delivered[0], {
      resource: { name: 'vault' },
      delivery: {
        source: { name: 'orders' },
        name: 'vault.local',
        port: 8443,
        correlationId: 'id-1',
        peer: { text: '127.0.0.1' },
      },
    })
    const [first] = inbound.seen
    t.equal(first?.url, '/secrets?x')
    t.equal(first?.headers.host, 'vault.local:8443')
    t.notOk(first?.headers['x-nsp-resource-id'], 'what a client claims does not get there')
    t.match(proxy.records[0], {
      correlationId: 'id-1',
      decision: { effect: 'allow', reason: 'same-perimeter', category: 'NspOutboundAttempt' },
      destination: { resourceId: { name: 'vault' }, ipAddress: undefined },
    })
  },
)

void t.test('a tunnel to a member fronted here is delivered, TLS included', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { key, cert } = authority.issue('vault.local')
  const tls = createTlsServer({ key, cert }, (socket) => void socket.end('behind TLS'))
  const proxy = await startProxy(t, members(), {
    deliver: () => {
      const [near, far] = duplexPair()
      tls.emit('connection', far)
      return near
    },
  })
  const client = await proxy.connect()
  client.send('CONNECT vault.local:443 HTTP/1.1\r\nHost: vault.local:443\r\n\r\n')
  await client.until('\r\n\r\n')
  client.stream.removeAllListeners('data')
  const secure = connectTls({
    socket: client.stream,
    ca: authority.ca,
    servername: 'vault.local',
  })
  const inner = rawClientOver(secure)
  await once(secure, 'secureConnect')
  t.equal((await inner.rest()).text, 'behind TLS')
  t.same(proxy.dialled, [])
})

void t.test('a member fronted here that has no such port is a closed port', async (t) => {
  const proxy = await startProxy(t, members(), { deliver: () => undefined })
  const client = await proxy.connect()
  client.send('GET http://vault.local:81/ HTTP/1.1\r\nHost: vault.local:81\r\n\r\n')
  const answer = await client.response()
  t.equal(answer.status, 502)
  t.equal(JSON.parse(answer.body).error.innererror.reason, 'connect-refused')
  client.send('CONNECT vault.local:81 HTTP/1.1\r\nHost: vault.local:81\r\n\r\n')
  t.equal((await client.response()).status, 502)
  t.same(proxy.resolved, [])
})

void t.test(
  'every destination fronted here is delivered to, whatever stage allows it',
  async (t) => {
    const inbound = serveHttp((_, response) => void response.end('inbound decides'))
    const byRule = members({
      perimeters: [
        {
          name: 'shop',
          profiles: [
            {
              name: 'web',
              accessRules: [{ name: 'all', fullyQualifiedDomainNames: ['foreign.local'] }],
            },
          ],
          associations: [{ resource: 'orders', accessMode: 'Enforced' }],
        },
      ],
    })
    const learning = members({
      perimeters: [
        { name: 'shop', associations: [{ resource: 'orders', accessMode: 'Learning' }] },
      ],
    })
    for (const [parts, reason] of [
      [byRule, 'access-rule'],
      [learning, 'learning-mode'],
    ] as const) {
      const proxy = await startProxy(t, parts, { deliver: inbound.deliver })
      const client = await proxy.connect()
      client.send('GET http://foreign.local:443/ HTTP/1.1\r\nHost: foreign.local:443\r\n\r\n')
      t.equal((await client.response()).body, 'inbound decides')
      t.equal(proxy.records[0]?.decision.reason, reason)
      t.equal(proxy.delivered.length, 1)
      t.same(proxy.resolved, [])
    }
    const proxy = await startProxy(t, members(), { deliver: inbound.deliver })
    const client = await proxy.connect()
    client.send('GET http://foreign.local:443/ HTTP/1.1\r\nHost: foreign.local:443\r\n\r\n')
    t.equal((await client.response()).status, 403, 'a member of nothing is outside')
    t.equal(proxy.delivered.length, 0)
  },
)

void t.test('an inbound side that breaks off cuts the client off', async (t) => {
  for (const head of ['Content-Length: 10', 'Transfer-Encoding: chunked', 'X: y']) {
    const proxy = await startProxy(t, members(), {
      deliver: () => {
        const [near, far] = duplexPair()
        far.once('data', () => {
          far.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n4\r\nhalf\r\n`)
          setTimeout(() => near.destroy(), 20)
        })
        return near
      },
    })
    const client = await proxy.connect()
    client.send('GET http://vault.local/ HTTP/1.1\r\nHost: vault.local\r\n\r\n')
    t.equal((await client.rest()).how, 'reset', head)
    t.equal((await proxy.endLine()).end?.closeReason, 'backend-reset')
  }
})

void t.test('a peer is dialled at its endpoint, without resolver and guard', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  for (const host of ['127.0.0.1', 'localhost']) {
    await t.test(host, async (t) => {
      const parts = members({
        resources: [
          { id: 'orders' },
          {
            id: 'vault',
            hosts: ['vault.example'],
            endpoint: `${host}:${origin.port}`,
          },
        ],
      })
      const proxy = await startProxy(t, parts)
      const client = await proxy.connect()
      client.send('GET http://vault.example/a HTTP/1.1\r\nHost: vault.example\r\n\r\n')
      t.equal((await client.response()).status, 200)
      t.same(proxy.resolved, [])
      t.ok(proxy.dialled.every((one) => one.endsWith(`:${origin.port}`)))
      t.same(origin.seen.at(-1)?.header('host'), ['vault.example'], 'the name stays')
      t.match(proxy.records[0], {
        decision: { reason: 'same-perimeter' },
        destination: { resourceId: { name: 'vault' }, port: 80 },
      })
      client.send('CONNECT vault.example:8443 HTTP/1.1\r\nHost: vault.example\r\n\r\n')
      t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
    })
  }
})

void t.test('a tunnel to a member ends when the member becomes something else', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const peer = (more: object): InForceParts =>
    members({
      resources: [{ id: 'orders' }, { id: 'vault', hosts: ['vault.example'], ...more }],
    })
  for (const [note, next] of [
    ['another endpoint', peer({ endpoint: '127.0.0.1:1' })],
    ['fronted here', peer({ backend: 'http://127.0.0.1:1' })],
    ['no place of its own', peer({})],
    ['no member any more', peer({ hosts: ['other.example'] })],
  ] as const) {
    await t.test(note, async (t) => {
      const proxy = await startProxy(t, peer({ endpoint: `127.0.0.1:${origin.port}` }))
      const client = await proxy.connect()
      client.send('CONNECT vault.example:443 HTTP/1.1\r\nHost: vault.example\r\n\r\n')
      await client.until('\r\n\r\n')
      await proxy.swap({ ...next, outbound: [{ name: listenerName, resource: 'orders' }] })
      t.equal((await client.rest()).how, 'reset')
      t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
    })
  }
})
