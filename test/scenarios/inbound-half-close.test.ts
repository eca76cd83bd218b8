import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import type { Delivery } from '../../src/identity/caller.ts'
import { createAuthority } from '../support/certificates.ts'
import { type InboundWorld, openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw, type RawClient, rawClientOver } from '../support/raw-client.ts'
import { address, hostname, resourceId } from '../support/settings-parts.ts'
import { switching, upgradeRequest } from '../support/web-socket.ts'

/** An upgrade is a tunnel: each of its sides may end alone, and the other goes on. */

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const inbound = [
  { name: 'public', tls: { certificateFile: shown.certificateFile, keyFile: shown.keyFile } },
]
const asOrders = { ca: authority.ca, servername: 'orders.test' }

const delivery: Delivery = {
  source: resourceId('billing'),
  name: hostname('orders.test'),
  port: 8080,
  correlationId: 'from-outbound',
  peer: address('127.0.0.1'),
  peerPort: 1234,
}

const clients: readonly {
  readonly note: string
  readonly isSecure: boolean
  readonly open: (world: InboundWorld) => Promise<RawClient>
}[] = [
  { note: 'TCP', isSecure: false, open: connectRaw },
  {
    note: 'TLS',
    isSecure: true,
    open: (world) => connectRaw({ port: world.port, tls: asOrders }),
  },
  {
    note: 'a delivered stream',
    isSecure: false,
    open: async (world) => rawClientOver(world.proxy.deliver(delivery)),
  },
  {
    note: 'TLS over a delivered stream',
    isSecure: true,
    async open(world) {
      const socket = connect({ socket: world.proxy.deliver(delivery), ...asOrders })
      await once(socket, 'secureConnect')
      return rawClientOver(socket)
    },
  },
]

const backends = [
  { note: 'http', isSecure: false },
  { note: 'https', isSecure: true },
]

interface Given {
  readonly isSecure: boolean
  readonly backendIsSecure: boolean
  readonly onUpgrade: (socket: Socket) => void
}

async function startShop(t: Test, given: Given): Promise<InboundWorld> {
  const { isSecure, backendIsSecure, onUpgrade } = given
  const certificate = { ...authority.issue('127.0.0.1'), allowHalfOpen: true }
  const origin = await startOrigin(undefined, {
    ...(backendIsSecure ? { tls: certificate } : {}),
    onUpgrade: (_, socket) => onUpgrade(socket),
  })
  t.teardown(() => origin.close())
  const backend = `${backendIsSecure ? 'https' : 'http'}://${origin.authority}`
  const resource = { id: 'orders', hosts: ['orders.test'], backend }
  const parts = openShop(backend, {
    resources: [backendIsSecure ? { ...resource, backendCaFile: authority.caFile } : resource],
    ...(isSecure ? { inbound } : {}),
  })
  return startInbound(t, parts, isSecure ? { pem: shown } : {})
}

for (const { note, isSecure, open } of clients) {
  for (const backend of backends) {
    const where = `${note} and ${backend.note}`
    const sides = { isSecure, backendIsSecure: backend.isSecure }

    // The client is gone right after it has read everything: Node's TLS over a stream that is no socket learns of that
    // before it has finished.
    void t.test(`a client that has ended still hears the back end, over ${where}`, async (t) => {
      const world = await startShop(t, {
        ...sides,
        onUpgrade(socket) {
          socket.write(switching)
          socket.resume()
          socket.on('end', () => socket.end('later'))
        },
      })
      const client = await open(world)
      client.send(upgradeRequest('orders.test'))
      t.equal((await client.response()).status, 101)
      client.end()
      t.same(await client.rest(), { text: 'later', how: 'end' })
      const { end } = await world.record((record) => record.end !== undefined)
      t.match(end, { closeReason: /^(?:complete|client-closed)$/, bytesOut: 5 })
      await world.quiet()
    })

    void t.test(`a back end that has ended still hears the client, over ${where}`, async (t) => {
      const heard = Promise.withResolvers<string>()
      const world = await startShop(t, {
        ...sides,
        onUpgrade(socket) {
          socket.end(switching)
          let text = ''
          socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
          socket.on('end', () => heard.resolve(text))
        },
      })
      const client = await open(world)
      client.send(upgradeRequest('orders.test'))
      t.equal((await client.response()).status, 101)
      t.same(await client.rest(), { text: '', how: 'end' })
      client.send('still here')
      client.end()
      t.equal(await heard.promise, 'still here')
      const { end } = await world.record((record) => record.end !== undefined)
      t.match(end, { closeReason: 'complete', bytesIn: 10 })
      await world.quiet()
    })
  }
}
