import { once } from 'node:events'
import { Duplex } from 'node:stream'
import t from 'tap'
import { Outbox } from '../../../src/transport/relay/outbox.ts'

/** An outbox whose turns end when the test says so. */
function createOutbox(): { outbox: Outbox; endTurn: () => void; turns: () => number } {
  const due: (() => void)[] = []
  let turns = 0
  const outbox = new Outbox((send) => {
    turns++
    due.push(send)
  })
  return {
    outbox,
    turns: () => turns,
    endTurn: () => {
      for (const send of due.splice(0)) send()
    },
  }
}

/** A stream that notes what it is asked to write, in one list for all, and takes it when told to. */
function createStream(name: string, written: string[], takes = true): Duplex {
  return new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      written.push(`${name}:${chunk.toString()}`)
      if (takes) done()
    },
    writev(chunks, done) {
      const text = chunks.map(({ chunk }) => String(chunk)).join('')
      written.push(`${name}:${text}`)
      if (takes) done()
    },
  })
}

void t.test('what is held leaves at the end of the turn, each stream in one', async (t) => {
  const { outbox, endTurn, turns } = createOutbox()
  const written: string[] = []
  const [one, two] = [createStream('one', written), createStream('two', written)]
  outbox.hold(one)
  one.write('a')
  outbox.hold(two)
  two.write('b')
  outbox.hold(one)
  one.write('c')
  t.strictSame(written, [])
  t.equal(turns(), 1, 'one end for all')
  endTurn()
  t.strictSame(written, ['two:b', 'one:ac'])
  outbox.hold(two)
  two.write('d')
  t.equal(turns(), 2)
  endTurn()
  t.strictSame(written, ['two:b', 'one:ac', 'two:d'])
})

void t.test('nobody waits for more than 32 others', async (t) => {
  const { outbox, endTurn } = createOutbox()
  const written: string[] = []
  for (let index = 0; index < 33; index++) {
    const stream = createStream(`${index}`, written)
    outbox.hold(stream)
    stream.write('x')
  }
  t.equal(written.length, 32)
  endTurn()
  t.equal(written.length, 33)
})

void t.test('a stream that ends does not wait', async (t) => {
  const { outbox, endTurn } = createOutbox()
  const written: string[] = []
  const stream = createStream('one', written)
  outbox.hold(stream)
  stream.write('a')
  stream.end()
  t.strictSame(written, ['one:a'])
  endTurn()
  t.strictSame(written, ['one:a'])
})

void t.test('a stream that is destroyed meanwhile does no harm', async (t) => {
  const { outbox, endTurn } = createOutbox()
  const written: string[] = []
  const [one, two] = [createStream('one', written), createStream('two', written)]
  one.on('error', () => undefined)
  outbox.hold(one)
  one.write('a', () => undefined)
  outbox.hold(two)
  two.write('b')
  one.destroy()
  await once(one, 'close')
  endTurn()
  t.strictSame(written, ['two:b'])
})

void t.test(
  'whenSent tells behind the writes of its turn, and whoever asks then in the next',
  async (t) => {
    const { outbox, endTurn } = createOutbox()
    const written: string[] = []
    const stream = createStream('one', written)
    const sent = {
      onSent: () => {
        written.push('sent')
        if (written.length < 4) outbox.whenSent(sent)
      },
    }
    outbox.whenSent(sent)
    outbox.hold(stream)
    stream.write('a')
    endTurn()
    t.strictSame(written, ['one:a', 'sent'])
    endTurn()
    t.strictSame(written, ['one:a', 'sent', 'sent'])
  },
)

void t.test(
  'memory is used again once all of it is taken, and never while some of it waits',
  async (t) => {
    const { outbox, endTurn } = createOutbox()
    const first = outbox.memory
    const put = (stream: Duplex): void => {
      outbox.reserve(10)
      outbox.hold(stream)
      stream.write(outbox.memory.subarray(outbox.at, outbox.at + 10))
      outbox.at += 10
    }
    const taking = createStream('taking', [])
    put(taking)
    put(taking)
    t.equal(outbox.at, 20)
    endTurn()
    t.equal(outbox.memory, first)
    t.equal(outbox.at, 0)
    put(createStream('slow', [], false))
    endTurn()
    t.ok(outbox.memory !== first, 'somebody still has it')
    t.equal(outbox.at, 0)
    const second = outbox.memory
    outbox.reserve(second.length)
    t.ok(outbox.memory === second)
    outbox.at = 1
    outbox.reserve(second.length)
    t.ok(outbox.memory !== second, 'no room left')
    t.equal(outbox.at, 0)
  },
)
