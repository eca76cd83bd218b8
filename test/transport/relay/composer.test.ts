import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { Body } from '../../../src/transport/relay/body.ts'
import { Composer } from '../../../src/transport/relay/composer.ts'
import { Outbox } from '../../../src/transport/relay/outbox.ts'
import { KiB } from '../../../src/units.ts'

/** A composer, and what ends the turn. */
function createComposer(): { out: Composer; outbox: Outbox; endTurn: () => void } {
  let due: (() => void) | undefined
  const outbox = new Outbox((send) => {
    due = send
  })
  return { out: new Composer(outbox), outbox, endTurn: () => due?.() }
}

type Test = Pick<typeof t, 'teardown'>

/** Two ends of a connection through the kernel. */
async function createConnection(t: Test): Promise<[Socket, Socket]> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const accepted = Promise.withResolvers<Socket>()
  server.once('connection', accepted.resolve)
  const near = connect(address.port, '127.0.0.1')
  await once(near, 'connect')
  const far = await accepted.promise
  t.teardown(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return [near, far]
}

/** The next `length` bytes of the stream as text. */
async function readText(socket: Socket, length: number): Promise<string> {
  let text = ''
  while (text.length < length) {
    const [chunk] = await once(socket, 'data')
    text += String(chunk)
  }
  return text
}

void t.test('pieces are one write', async (t) => {
  const { out, endTurn } = createComposer()
  const stream = new PassThrough()
  out.begin(stream, 20)
  out.text('ab\xff')
  out.copy(Buffer.from('0123456789'), 2, 5)
  const body = new Body()
  body.begin(4, false)
  const source = Buffer.from('body, and more')
  body.take(source, 0, source.length)
  out.body(body, source)
  t.equal(out.send(), true)
  t.equal(stream.read(), null, 'not before the end of the turn')
  endTurn()
  t.strictSame(stream.read(), Buffer.from('ab\xff234body', 'latin1'))
  t.equal(out.send(), false, 'there is nothing more')
})

void t.test('more than there is room for is a bug that says so', async (t) => {
  const { out } = createComposer()
  const source = Buffer.from('abcd')
  const body = new Body()
  body.begin(4, false)
  body.take(source, 0, 4)
  const tooMuch: readonly (() => void)[] = [
    () => out.text('abcd'),
    () => out.copy(source, 0, 4),
    () => out.body(body, source),
  ]
  for (const write of tooMuch) {
    out.begin(new PassThrough(), 3)
    t.throws(write, { message: /less room/ })
  }
})

void t.test(
  'messages of a turn for the kernel lie side by side, and arrive as they were',
  async (t) => {
    const { out, outbox, endTurn } = createComposer()
    const { memory } = outbox
    const [near, far] = await createConnection(t)
    const [other, otherFar] = await createConnection(t)
    for (const [socket, text] of [
      [near, 'one'],
      [other, 'two'],
      [near, 'three'],
    ] as const) {
      out.begin(socket, 10)
      out.text(text)
      out.send()
    }
    t.equal(outbox.at, 11)
    endTurn()
    t.equal(await readText(far, 8), 'onethree')
    t.equal(await readText(otherFar, 3), 'two')
    t.ok(outbox.memory === memory)
    t.equal(outbox.at, 0, 'the kernel has all of it')
  },
)

void t.test('what the kernel does not take is not written over', async (t) => {
  const { out, outbox, endTurn } = createComposer()
  const [near, far] = await createConnection(t)
  far.pause()
  const piece = 16 * KiB
  let sent = ''
  // The buffers of the kernel are full at some time.
  for (let turn = 0; turn < 2000 && near.writableLength === 0; turn++) {
    const text = String.fromCharCode(0x61 + (turn % 26)).repeat(piece)
    out.begin(near, piece)
    out.text(text)
    out.send()
    endTurn()
    sent += text
  }
  t.ok(near.writableLength > 0)
  const waiting = outbox.memory
  out.begin(near, piece)
  t.ok(outbox.memory === waiting)
  out.text('#'.repeat(piece))
  out.send()
  endTurn()
  const expected = `${sent}${'#'.repeat(piece)}`
  far.resume()
  t.ok((await readText(far, expected.length)) === expected)
})

void t.test('what others may keep, and what is long, has memory of its own', async (t) => {
  const { out, outbox, endTurn } = createComposer()
  const [near, far] = await createConnection(t)
  for (const [stream, room] of [
    [new PassThrough(), 10],
    [near, 16 * KiB + 1],
  ] as const) {
    out.begin(stream, room)
    out.text('mine')
    out.send()
    t.equal(outbox.at, 0)
    outbox.memory.fill(0)
    endTurn()
    if (stream === near) t.equal(await readText(far, 4), 'mine')
    else t.strictSame(stream.read(), Buffer.from('mine'))
  }
})
