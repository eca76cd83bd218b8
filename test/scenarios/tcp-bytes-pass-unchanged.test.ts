import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { MiB } from '../../src/units.ts'
import { openBank, startInbound } from '../support/inbound-world.ts'
import { connectRaw } from '../support/raw-client.ts'
import { listening } from '../transport/sockets.ts'

/** Whatever passes: both ends of a conversation, ended from either side, and more than fits into any buffer. */

type Test = Parameters<typeof startInbound>[0]

/** A world in front of a server whose connections are left half open. */
async function startBehind(t: Test, serve: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    serve(socket)
  })
  const port = await listening(server)
  t.teardown(async () => void server.close())
  return startInbound(t, openBank(port))
}

void t.test('a client that ends its side still hears the answer', async (t) => {
  const world = await startBehind(t, (socket) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('end', () => socket.end(`you said ${text}`))
  })
  const client = await connectRaw(world)
  client.send('all')
  client.end()
  t.same(await client.rest(), { text: 'you said all', how: 'end' })
  await world.quiet()
  t.match(world.records.at(-1)?.end, { bytesIn: 3, bytesOut: 12, closeReason: 'complete' })
})

void t.test('a client that ends its side before it is joined, too', async (t) => {
  const world = await startBehind(t, (socket) => {
    socket.resume()
    socket.on('end', () => socket.end('nothing was said'))
  })
  const client = await connectRaw(world)
  client.end()
  t.same(await client.rest(), { text: 'nothing was said', how: 'end' })
})

void t.test('a back end that ends its side still hears the rest', async (t) => {
  const heard = Promise.withResolvers<string>()
  const world = await startBehind(t, (socket) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('end', () => heard.resolve(text))
    socket.end('bye')
  })
  const client = await connectRaw(world)
  t.same(await client.rest(), { text: 'bye', how: 'end' })
  client.send('one more thing')
  client.end()
  t.equal(await heard.promise, 'one more thing')
  await world.quiet()
  t.match(world.records.at(-1)?.end, { bytesIn: 14, bytesOut: 3, closeReason: 'complete' })
})

void t.test('a reset on one side is a reset on the other', async (t) => {
  const cases = [
    { note: 'the back end', closeReason: 'backend-reset' },
    { note: 'the client', closeReason: 'client-reset' },
  ] as const
  for (const { note, closeReason } of cases) {
    const reset = Promise.withResolvers<void>()
    const world = await startBehind(t, (socket) => {
      socket.resume()
      socket.write('ready\n')
      if (closeReason === 'backend-reset') socket.once('data', () => socket.resetAndDestroy())
      socket.on('error', () => reset.resolve())
    })
    const client = await connectRaw(world)
    await client.until('\n')
    if (closeReason === 'backend-reset') {
      client.send('x')
      t.equal((await client.rest()).how, 'reset', note)
    } else {
      if ('resetAndDestroy' in client.stream) (client.stream as Socket).resetAndDestroy()
      await reset.promise
      t.pass(note)
    }
    await world.quiet()
    t.equal(world.records.at(-1)?.end?.closeReason, closeReason)
  }
})

void t.test('what nobody reads is not taken in, and in the end nothing is missing', async (t) => {
  const size = 64 * MiB
  const block = randomBytes(MiB)
  const sent = createHash('sha256')
  for (let done = 0; done < size; done += block.length) sent.update(block)
  const wanted = sent.digest('hex')
  let written = 0
  const world = await startBehind(t, (socket) => {
    const more = (): void => {
      while (written < size) {
        written += block.length
        if (!socket.write(block)) return
      }
      socket.end()
    }
    socket.on('drain', more)
    socket.resume()
    more()
  })
  const client = connect({ port: world.port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => client.destroy())
  await once(client, 'connect')
  // Nobody reads: after a while nothing moves any more.
  let before = -1
  while (written !== before) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  t.ok(
    written < size,
    `${written / MiB} MiB of ${size / MiB} were taken in before the reader stopped it`,
  )
  const received = createHash('sha256')
  client.on('data', (chunk: Buffer) => received.update(chunk))
  await once(client, 'end')
  client.end()
  t.equal(received.digest('hex'), wanted)
  await world.quiet()
  t.match(world.records.at(-1)?.end, { bytesIn: 0, bytesOut: size, closeReason: 'complete' })
})

void t.test('the same upwards', async (t) => {
  const size = 64 * MiB
  const block = randomBytes(MiB)
  const sent = createHash('sha256')
  const arrived = createHash('sha256')
  const accepted = Promise.withResolvers<Socket>()
  const world = await startBehind(t, (socket) => {
    socket.pause()
    accepted.resolve(socket)
  })
  const client = connect({ port: world.port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => client.destroy())
  let written = 0
  const more = (): void => {
    while (written < size) {
      written += block.length
      sent.update(block)
      if (!client.write(block)) return
    }
    client.end()
  }
  client.on('drain', more)
  more()
  const backend = await accepted.promise
  let before = -1
  while (written !== before) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  t.ok(
    written < size,
    `${written / MiB} MiB of ${size / MiB} were taken in before the reader stopped it`,
  )
  backend.on('data', (chunk: Buffer) => arrived.update(chunk))
  backend.resume()
  await once(backend, 'end')
  backend.end('thanks')
  let answer = ''
  client.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  await once(client, 'end')
  t.equal(answer, 'thanks')
  t.equal(arrived.digest('hex'), sent.digest('hex'))
  await world.quiet()
  t.match(world.records.at(-1)?.end, { bytesIn: size, bytesOut: 6, closeReason: 'complete' })
})
