import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setImmediate, setTimeout } from 'node:timers/promises'
import t from 'tap'
import { KiB, MiB } from '../../src/units.ts'
import { type AnyPair, join } from './join.ts'
import {
  pairOfSockets,
  pairOfStreams,
  pairOverTls,
  pairOverUnixSocket,
  pairWithIntake,
  readToEnd,
} from './sockets.ts'

interface Kind {
  readonly note: string
  readonly pair: () => Promise<AnyPair<Duplex>>
  readonly upstreamPair?: () => Promise<AnyPair<Duplex>>
}

const directory = t.testdir()

const kinds: readonly Kind[] = [
  { note: 'TCP', pair: pairOfSockets },
  { note: 'TCP, read through shared memory', pair: pairOfSockets, upstreamPair: pairWithIntake },
  {
    note: 'Unix sockets',
    pair: () => pairOverUnixSocket(`${directory}/${randomBytes(4).toString('hex')}.sock`),
  },
  { note: 'TLS', pair: pairOverTls },
  { note: 'plain streams', pair: pairOfStreams },
]

for (const { note, pair, upstreamPair = pair } of kinds) {
  void t.test(`openTunnel: over ${note}`, async (t) => {
    await t.test('early bytes come first, then everything in order, both ways', async (t) => {
      const { client, upstream, closed } = await join(pair, {
        upstreamPair,
        clientHead: Buffer.from('ping '),
        upstreamHead: Buffer.from('welcome '),
      })
      client.write('one ')
      upstream.write('two ')
      client.end('three')
      upstream.end('four')
      const [atUpstream, atClient] = await Promise.all([readToEnd(upstream), readToEnd(client)])
      t.equal(atUpstream.bytes.toString(), 'ping one three')
      t.equal(atClient.bytes.toString(), 'welcome two four')
      t.same([atUpstream.how, atClient.how], ['end', 'end'])
      t.same(await closed, { bytesIn: 14, bytesOut: 16, closeReason: 'complete' })
    })

    await t.test('the answer to a half-closed client still arrives', async (t) => {
      const { client, upstream, closed } = await join(pair, { upstreamPair })
      client.end('question')
      t.equal((await readToEnd(upstream)).bytes.toString(), 'question')
      const atClient = readToEnd(client)
      upstream.write('a slow ')
      await setImmediate()
      upstream.end('answer')
      t.equal((await atClient).bytes.toString(), 'a slow answer')
      t.equal((await closed).closeReason, 'complete')
    })

    await t.test('a half-closed upstream still receives', async (t) => {
      const { client, upstream, closed } = await join(pair, { upstreamPair })
      upstream.end('that is all')
      t.equal((await readToEnd(client)).bytes.toString(), 'that is all')
      const atUpstream = readToEnd(upstream)
      client.write('but ')
      await setImmediate()
      client.end('listen')
      t.equal((await atUpstream).bytes.toString(), 'but listen')
      t.equal((await closed).closeReason, 'complete')
    })

    await t.test('much data both ways at once arrives whole', async (t) => {
      const { client, upstream, closed } = await join(pair, { upstreamPair })
      const up = randomBytes(5 * MiB + 1)
      const down = randomBytes(7 * MiB + 3)
      client.end(up)
      upstream.end(down)
      const [atUpstream, atClient] = await Promise.all([readToEnd(upstream), readToEnd(client)])
      t.equal(sha256(atUpstream.bytes), sha256(up))
      t.equal(sha256(atClient.bytes), sha256(down))
      t.same(await closed, { bytesIn: up.length, bytesOut: down.length, closeReason: 'complete' })
    })
  })
}

void t.test('openTunnel: leaves what is somebody else’s as it is', async (t) => {
  const { client, upstream, tunnel, closed } = await join<Duplex>(pairOfSockets, {
    upstreamPair: pairOfStreams,
  })
  const everybodys = Buffer.allocUnsafeSlow(64 * KiB).fill('x')
  let received = 0
  client.on('data', (chunk: Buffer) => (received += chunk.length))
  upstream.write(everybodys)
  while (received < 64 * KiB) await setTimeout(5)
  t.equal(everybodys.length, 64 * KiB)
  tunnel.end('complete')
  await closed
  client.destroy()
})

void t.test('openTunnel: what it has passed on takes no memory', async (t) => {
  const { client, upstream, ends, closed } = await join(pairOfSockets, {
    upstreamPair: pairWithIntake,
  })
  const chunks: Buffer[] = []
  ends.client.on('data', (chunk: Buffer) => chunks.push(chunk))
  const sent = 16 * MiB
  client.end(Buffer.alloc(sent))
  // Slowly, so that much of it has to wait.
  let received = 0
  upstream.on('data', (chunk: Buffer) => {
    received += chunk.length
    upstream.pause()
    void setTimeout(1).then(() => upstream.resume())
  })
  await once(upstream, 'end')
  t.equal(received, sent)
  const kept = chunks.reduce((sum, { length }) => sum + length, 0)
  t.ok(kept < 64 * KiB, `${kept} bytes`)
  upstream.end()
  client.resume()
  await closed
})

const directions = [
  { note: 'an upstream', sender: 'client', reader: 'upstream', upstreamPair: pairOfSockets },
  { note: 'a client', sender: 'upstream', reader: 'client', upstreamPair: pairOfSockets },
  {
    note: 'a client of a shared read',
    sender: 'upstream',
    reader: 'client',
    upstreamPair: pairWithIntake,
  },
] as const

void t.test('openTunnel: holds back whoever sends faster than the other reads', async (t) => {
  for (const { note, sender, reader, upstreamPair } of directions) {
    await t.test(`for ${note} that does not read`, async (t) => {
      const joined = await join(pairOfSockets, { upstreamPair })
      // Far more than the kernel takes for two connections: the rest stays with the sender.
      const offered = Buffer.alloc(64 * MiB, 'x')
      joined[sender].end(offered)
      await stalls(joined.ends[sender])
      t.ok(joined.ends[sender].readableLength < MiB, 'next to nothing waits to be passed on')
      t.ok(joined.ends[reader].writableLength < MiB, 'next to nothing waits to be taken')
      t.ok(joined[sender].writableLength > 0, 'the sender waits')
      const received = await readToEnd(joined[reader])
      t.equal(received.bytes.length, offered.length, 'everything arrives once it reads')
      joined[reader].end()
      joined[sender].resume()
      t.equal((await joined.closed).closeReason, 'complete')
    })
  }

  await t.test('early bytes count as well', async (t) => {
    const joined = await join(pairOfStreams, { clientHead: Buffer.alloc(MiB, 'a') })
    joined.client.end('b')
    await setImmediate()
    t.equal(joined.ends.client.isPaused(), true)
    joined.upstream.end()
    const received = await readToEnd(joined.upstream)
    t.equal(received.bytes.length, MiB + 1)
    t.equal(received.bytes.at(-1), 'b'.charCodeAt(0))
    joined.client.resume()
    t.equal((await joined.closed).closeReason, 'complete')
  })
})

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Resolves once nothing more comes out of it. */
async function stalls(stream: Duplex): Promise<void> {
  let moved = false
  stream.on('data', () => {
    moved = true
  })
  for (let quiet = 0; quiet < 5; quiet = moved ? 0 : quiet + 1) {
    moved = false
    await setTimeout(20)
  }
}
