import t from 'tap'
import { connect } from 'node:tls'
import { once } from 'node:events'
import type { Delivery } from '../../src/identity/caller.ts'
import { startInbound } from '../support/inbound-world.ts'
import { createAuthority } from '../support/certificates.ts'
import { http2Over } from '../support/http2-client.ts'
import { startOrigin } from '../support/origin.ts'
import { rawClientOver } from '../support/raw-client.ts'
import { address, hostname, type InForceParts, resourceId } from '../support/settings-parts.ts'
import { clientFrame, echoFrames, serverFrame, upgradeRequest } from '../support/web-socket.ts'

/** Two members of one perimeter; no rule lets anybody else in. */
function shop(backend: string, more: Partial<InForceParts> = {}): InForceParts {
  return {
    resources: [
      { id: 'orders', hosts: ['orders.test', 'orders-2.test'], backend },
      { id: 'billing', hosts: ['billing.test'], backend },
      { id: 'stranger', hosts: [], backend },
    ],
    perimeters: [{ name: 'shop', associations: [{ resource: 'orders' }, { resource: 'billing' }] }],
    ...more,
  }
}

function from(source: string): Delivery {
  return {
    source: resourceId(source),
    name: hostname('orders.test'),
    port: 8080,
    correlationId: 'from-outbound',
    peer: address('10.0.0.7'),
    peerPort: 1234,
  }
}

const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'

void t.test('a delivered stream has its caller as an object, and one correlation id', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, shop(origin.url))
  const client = rawClientOver(world.proxy.deliver(from('billing')))
  for (let request = 0; request < 2; request++) {
    client.send('GET / HTTP/1.1\r\nHost: orders.test\r\nX-Nsp-Perimeter-Id: forged\r\n\r\n')
    const response = await client.response()
    t.equal(response.status, 200)
    t.equal(response.header('x-ms-request-id'), 'from-outbound')
  }
  t.match(world.records[0], {
    correlationId: 'from-outbound',
    decision: {
      effect: 'allow',
      reason: 'same-perimeter',
      category: 'NspIntraPerimeterInboundAllowed',
    },
    source: { ipAddress: '10.0.0.7', port: 1234, resourceId: { name: 'billing' } },
    removedHeaders: ['X-Nsp-Perimeter-Id'],
  })
  t.strictSame(origin.seen[0]?.header('x-forwarded-for'), ['10.0.0.7'])
  client.send(upgradeRequest('orders.test'))
  t.equal((await client.response()).status, 101)
  client.send(clientFrame('inside'))
  await client.until(serverFrame('inside').toString('latin1'))
  client.destroy()
  await world.quiet()
  t.equal(world.openConnections.size, 0)
  t.strictSame(world.complaints, [])
})

void t.test('who is no member is nobody, delivered or not', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, shop(origin.url))
  for (const source of ['stranger', 'unheard-of']) {
    const client = rawClientOver(world.proxy.deliver(from(source)))
    client.send(get)
    t.equal((await client.response()).status, 403, source)
    client.destroy()
  }
  t.equal(origin.accepted(), 0)
})

void t.test('every request on the stream must carry the name that was decided', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, shop(origin.url))
  const client = rawClientOver(world.proxy.deliver(from('billing')))
  for (const [host, status] of [
    ['orders.test', 200],
    ['billing.test', 421],
    ['orders-2.test', 421],
    ['elsewhere.test', 421],
    ['127.0.0.1', 421],
    ['ORDERS.test.:9', 200],
  ] as const) {
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    t.equal((await client.response()).status, status, host)
  }
  client.send(upgradeRequest('billing.test'))
  t.equal((await client.response()).status, 421)
  t.equal(origin.seen.length, 2)
  t.match(world.records[1], {
    decision: { reason: 'name-mismatch' },
    correlationId: 'from-outbound',
  })
})

void t.test('a listener of one resource answers for no other name', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(
    t,
    shop(origin.url, { inbound: [{ name: 'public', resource: 'billing' }] }),
  )
  const client = rawClientOver(world.proxy.deliver(from('billing')))
  client.send(get)
  t.equal((await client.response()).status, 404)
  t.equal(origin.accepted(), 0)
  client.destroy()
})

void t.test('a delivery is never private, wherever its client sits', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(
    t,
    shop(origin.url, {
      inbound: [{ name: 'public', network: 'private', clients: ['10.0.0.0/8', '127.0.0.1/32'] }],
    }),
  )
  const client = rawClientOver(world.proxy.deliver(from('stranger')))
  client.send(get)
  t.equal((await client.response()).status, 403)
  client.destroy()
})

void t.test('on a listener with TLS the stream speaks TLS, and keeps its caller', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const shown = authority.issue('orders.test')
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
  const world = await startInbound(t, shop(origin.url, { inbound: [{ name: 'public', tls }] }), {
    pem: shown,
  })
  const socket = connect({
    socket: world.proxy.deliver(from('billing')),
    ca: authority.ca,
    servername: 'orders.test',
  })
  await once(socket, 'secureConnect')
  const client = rawClientOver(socket)
  client.send(get)
  t.equal((await client.response()).status, 200)
  t.match(world.records[0], {
    decision: { reason: 'same-perimeter' },
    source: { protocol: 'HTTPS:TCP' },
  })
  client.send('GET / HTTP/1.1\r\nHost: billing.test\r\n\r\n')
  t.equal((await client.response()).status, 421)
  client.destroy()
  await world.quiet()
})

void t.test('a member that leaves its perimeter loses what it has open', async (t) => {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, shop(origin.url))
  const client = rawClientOver(world.proxy.deliver(from('billing')))
  client.send(upgradeRequest('orders.test'))
  t.equal((await client.response()).status, 101)
  await world.reload(
    shop(origin.url, { perimeters: [{ name: 'shop', associations: [{ resource: 'orders' }] }] }),
  )
  t.equal((await client.rest()).how, 'reset')
  t.match(await world.record(({ end }) => end !== undefined), {
    end: { closeReason: 'policy-revoked' },
  })
})

void t.test('a closed listener takes no delivery', async (t) => {
  const world = await startInbound(t, shop('http://127.0.0.1:1'))
  await world.proxy.close()
  const client = rawClientOver(world.proxy.deliver(from('billing')))
  client.send(get)
  t.equal((await client.rest()).text, '')
})

void t.test('a delivered stream may speak HTTP/2, and no stream of it another name', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const shown = authority.issue('orders.test')
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
  const parts = shop(origin.url, { inbound: [{ name: 'public', tls }] })
  const world = await startInbound(t, parts, { pem: shown })
  const socket = connect({
    socket: world.proxy.deliver(from('billing')),
    ca: authority.ca,
    servername: 'orders.test',
    ALPNProtocols: ['h2'],
  })
  const client = await http2Over(socket)
  t.equal((await client.exchange('/')).status, 200)
  const other = await client.exchange('/', { headers: { ':authority': 'orders-2.test' } })
  t.equal(other.status, 421)
  t.equal((await client.exchange('/')).status, 200, 'the session goes on')
  t.match(world.records, [
    { correlationId: 'from-outbound', decision: { reason: 'same-perimeter' } },
    { decision: { reason: 'name-mismatch' } },
    { decision: { reason: 'same-perimeter' } },
  ])
  client.destroy()
  await world.quiet()
  t.equal(world.openConnections.size, 0)
  t.strictSame(world.complaints, [])
})
