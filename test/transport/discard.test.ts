import { connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { discardInput } from '../../src/transport/discard.ts'
import { MiB } from '../../src/units.ts'
import { listening } from './sockets.ts'

void t.test('discardInput drops what comes, and resets who sends without end', async (t) => {
  const accepted = Promise.withResolvers<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => t.fail('nobody else reads on'))
    discardInput(socket)
    accepted.resolve(socket)
  })
  const port = await listening(server)
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  const ended = Promise.withResolvers<'end' | 'reset'>()
  client.resume()
  client.on('end', () => ended.resolve('end'))
  client.on('error', () => ended.resolve('reset'))
  client.write(Buffer.alloc(64 * MiB))
  const socket = await accepted.promise
  while (socket.bytesRead < 64 * MiB) await new Promise((resolve) => setImmediate(resolve))
  t.equal(socket.destroyed, false, 'within the bound')
  // Nothing follows, or any end of the connection would be answered by a reset.
  client.write('x')
  t.equal(await ended.promise, 'reset', 'an answer on its way does not look whole')
})
