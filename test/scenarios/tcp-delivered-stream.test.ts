import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t from 'tap'
import { MiB } from '../../src/units.ts'
import { openBank, startInbound } from '../support/inbound-world.ts'
import { hostname, resourceId } from '../support/settings-parts.ts'
import { listening } from '../transport/sockets.ts'

/** A stream that a member's egress hands over in-process is a connection like any other: to its end, whoever ends it. */

type Test = Parameters<typeof startInbound>[0]

async function startDelivered(t: Test, serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    serve(socket)
  })
  const port = await listening(server)
  t.teardown(async () => void server.close())
  const bank = openBank(port, { office: [] })
  const world = await startInbound(t, {
    ...bank,
    resources: [...(bank.resources ?? []), { id: 'orders' }],
    perimeters: [{ name: 'bank', associations: [{ resource: 'ledger' }, { resource: 'orders' }] }],
  })
  const stream = world.proxy.deliver({
    source: resourceId('orders'),
    name: hostname('ledger.test'),
    port: world.port,
    correlationId: 'from-egress',
    peer: undefined,
    peerPort: undefined,
  })
  return { world, stream, sockets }
}

void t.test('it is counted, recorded under the id of its request, and half-closed', async (t) => {
  const { world, stream } = await startDelivered(t, (socket) => {
    socket.on('data', (chunk: Buffer) => void socket.write(`heard ${chunk.length}`))
    socket.on('end', () => socket.end(', all of it'))
  })
  stream.end('hello')
  let text = ''
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(stream, 'end')
  t.equal(text, 'heard 5, all of it')
  await world.quiet()
  t.match(world.records, [
    {
      correlationId: 'from-egress',
      serviceFqdn: 'ledger.test',
      source: { resourceId: { name: 'orders' }, ipAddress: undefined },
      decision: { reason: 'same-perimeter', category: 'NspIntraPerimeterInboundAllowed' },
      end: undefined,
    },
    {
      correlationId: 'from-egress',
      end: { bytesIn: 5, bytesOut: 18, closeReason: 'complete' },
    },
  ])
  t.equal(stream.errored, null)
})

void t.test('an egress that breaks off is no end of data', async (t) => {
  const ends: string[] = []
  const { world, stream, sockets } = await startDelivered(t, (socket) => {
    socket.on('end', () => ends.push('end'))
    socket.on('error', () => ends.push('reset'))
    socket.resume()
    socket.write('ready')
  })
  await once(stream, 'readable')
  stream.write('half of a que')
  stream.destroy()
  await world.quiet()
  t.match(world.records.at(-1), { end: { closeReason: 'client-reset' } })
  while (sockets.size > 0) await new Promise((resolve) => setImmediate(resolve))
  t.same(ends, ['reset'])
  t.equal(world.proxy.open, 0)
})

void t.test('a back end that breaks off is no end of data', async (t) => {
  const { world, stream } = await startDelivered(t, (socket) => {
    socket.once('data', () => socket.resetAndDestroy())
    socket.write('half of an ans')
  })
  stream.on('error', () => {})
  let ended = false
  stream.on('end', () => (ended = true))
  stream.once('data', () => void stream.write('go on'))
  await new Promise((resolve) => stream.once('close', resolve))
  t.equal(ended, false)
  t.match(stream.errored, { message: 'cut off' })
  await world.quiet()
  t.match(world.records.at(-1), { end: { closeReason: 'backend-reset' } })
})

void t.test('nothing is missing at the end of much, however slowly it is read', async (t) => {
  const size = 16 * MiB
  let arrived = 0
  const over = Promise.withResolvers<void>()
  const { world, stream } = await startDelivered(t, (socket) => {
    socket.end(Buffer.alloc(size))
    socket.once('close', () => over.resolve())
    socket.on('data', (chunk: Buffer) => {
      arrived += chunk.length
      socket.pause()
      setImmediate(() => socket.resume())
    })
  })
  stream.end(Buffer.alloc(size))
  let received = 0
  stream.on('data', (chunk: Buffer) => {
    received += chunk.length
    stream.pause()
    setImmediate(() => stream.resume())
  })
  await once(stream, 'close')
  // What is written may still wait for whoever reads slowly.
  await over.promise
  await world.quiet()
  t.equal(received, size)
  t.equal(arrived, size)
  t.match(world.records.at(-1), {
    end: { bytesIn: size, bytesOut: size, closeReason: 'complete' },
  })
})
