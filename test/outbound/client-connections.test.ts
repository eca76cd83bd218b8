import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { ClientConnections } from '../../src/outbound/client-connections.ts'
import { listening } from '../transport/sockets.ts'

void t.test('ClientConnections: each connection has the address of its own peer', async (t) => {
  const connections = new ClientConnections()
  const server = createServer()
  const port = await listening(server)
  const addresses: (string | undefined)[] = []
  const asked = ['127.0.0.1', '127.0.0.2', '127.0.0.2', '127.0.0.1']
  for (const localAddress of asked) {
    const socket = connect({ host: '127.0.0.1', port, localAddress })
    const [accepted] = (await once(server, 'connection')) as [Socket]
    const { peer } = connections.add(accepted, { isRefused: false, openedAt: 0 })
    addresses.push(peer.address?.text)
    t.equal(peer.port, accepted.remotePort)
    socket.destroy()
  }
  t.same(addresses, asked)
  server.close()
  connections.destroyAll()
  await connections.whenEmpty()
})
