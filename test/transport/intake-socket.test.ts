import { createHash, type Hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate, setTimeout } from 'node:timers/promises'
import t from 'tap'
import { IntakeSocket } from '../../src/transport/intake-socket.ts'
import { LargeBuffers } from '../../src/transport/large-buffers.ts'
import { KiB, MiB, seconds } from '../../src/units.ts'
import { join, type Joined } from './join.ts'
import { pairOfSockets, pairOfStreams, pairWithIntake, readToEnd } from './sockets.ts'

/** Tunnels whose upstreams are read through one set of large buffers. */
async function joinOver(buffers: LargeBuffers): Promise<Joined<Socket>> {
  return join(pairOfSockets, { upstreamPair: () => pairWithIntake(buffers) })
}

void t.test('IntakeSocket: leases a large buffer only while it is bulk', async (t) => {
  await t.test('none for what trickles', async (t) => {
    const buffers = new LargeBuffers()
    const { tunnel, client, upstream, closed } = await joinOver(buffers)
    const sent = randomBytes(60 * KiB)
    for (let at = 0; at < sent.length; at += KiB) {
      upstream.write(sent.subarray(at, at + KiB))
      await once(client, 'data')
      t.equal(buffers.leased, 0)
    }
    tunnel.end('complete')
    await closed
    upstream.destroy()
  })

  await t.test(
    'one for what fills a read, and it comes back with the first that does not',
    async (t) => {
      const buffers = new LargeBuffers()
      const { client, upstream, closed } = await joinOver(buffers)
      const received = digest(client)
      const sent = randomBytes(8 * MiB)
      client.pause()
      upstream.write(sent)
      await until(() => buffers.leased === 1, 'it is bulk')
      client.resume()
      await until(() => received.bytes === sent.length, 'all of it has come')
      t.equal(buffers.leased, 0, 'though it stays open, and silent')
      t.equal(received.hash.digest('hex'), sha256(sent))
      upstream.end()
      client.end()
      t.equal((await closed).bytesOut, sent.length)
    },
  )

  const ends = [
    { note: 'it ends and the client does not', end: ({ upstream }) => upstream.end() },
    { note: 'it is reset', end: ({ upstream }) => upstream.resetAndDestroy() },
    { note: 'the client is reset', end: ({ client }) => client.resetAndDestroy() },
    { note: 'the tunnel is ended', end: ({ tunnel }) => tunnel.end('policy-revoked') },
  ] satisfies readonly { note: string; end: (joined: Joined<Socket>) => unknown }[]
  for (const { note, end } of ends) {
    await t.test(`it comes back when ${note}`, async (t) => {
      const buffers = new LargeBuffers(1)
      const joined = await joinOver(buffers)
      joined.client.pause()
      joined.upstream.write(Buffer.alloc(32 * MiB))
      await until(() => buffers.leased === 1, 'it is bulk')
      end(joined)
      joined.client.resume()
      await until(() => buffers.leased === 0, 'it is given back')
      joined.tunnel.end('complete')
      await joined.closed
      t.equal(buffers.leased, 0)
      joined.client.destroy()
      joined.upstream.destroy()
    })
  }
})

const sets = [
  { note: 'enough for all', limit: 32 },
  { note: 'fewer than there are bulk tunnels', limit: 2 },
  { note: 'none', limit: 0 },
]

for (const { note, limit } of sets) {
  void t.test(
    `IntakeSocket: every byte arrives in its tunnel, large buffers: ${note}`,
    async (t) => {
      const buffers = new LargeBuffers(limit)
      const tunnels = await Promise.all(
        Array.from({ length: 6 }, async (_, index) => {
          const joined = await joinOver(buffers)
          return { ...joined, index, sent: createHash('sha256'), received: digest(joined.client) }
        }),
      )
      // Each has its own pattern of trickles and bursts, and every other client is slow.
      await Promise.all(
        tunnels.map(async ({ index, client, upstream, sent, received }) => {
          const isSlow = index % 2 === 1
          const pausing = setInterval(
            () => (client.isPaused() ? client.resume() : client.pause()),
            3,
          )
          if (!isSlow) clearInterval(pausing)
          for (let burst = 0; burst < 24; burst++) {
            const size =
              [100, 65 * KiB, 64 * KiB, 700 * KiB, 256 * KiB, 3][(burst + index) % 6] ?? 0
            const chunk = randomBytes(size)
            sent.update(chunk)
            if (!upstream.write(chunk)) await once(upstream, 'drain')
            if (burst % 3 === 0) await setImmediate()
          }
          upstream.end()
          await until(() => client.readableEnded, 'the end has come')
          clearInterval(pausing)
          t.equal(received.hash.digest('hex'), sent.digest('hex'), `tunnel ${index}`)
          client.end()
        }),
      )
      await Promise.all(tunnels.map(({ closed }) => closed))
      t.equal(buffers.leased, 0)
    },
  )
}

void t.test('IntakeSocket: gives what is no socket bytes that stay as they are', async (t) => {
  const buffers = new LargeBuffers()
  const { client, upstream, tunnel, closed } = await join<Duplex>(pairOfStreams, {
    upstreamPair: () => pairWithIntake(buffers),
  })
  const sent = randomBytes(8 * MiB)
  upstream.end(sent)
  t.equal(sha256((await readToEnd(client)).bytes), sha256(sent))
  t.equal(buffers.leased, 0)
  tunnel.end('complete')
  await closed
})

void t.test('IntakeSocket: readers that stand still', async (t) => {
  const buffers = new LargeBuffers(2)
  const stuck = await Promise.all(Array.from({ length: 4 }, async () => joinOver(buffers)))
  const waiting = new Map(stuck.map((one) => [one, randomBytes(16 * MiB)]))
  for (const [{ client, upstream }, bytes] of waiting) {
    client.pause()
    upstream.end(bytes)
  }
  await until(() => stuck.every(({ ends }) => ends.client.writableLength > 0), 'all are stuck')
  t.equal(buffers.leased, 2)
  for (const { ends } of stuck) {
    t.ok(ends.client.writableLength <= 256 * KiB, `only ${ends.client.writableLength} bytes wait`)
  }

  await t.test('are in nobody’s way', async (t) => {
    const { client, upstream, closed } = await joinOver(buffers)
    const sent = randomBytes(8 * MiB)
    upstream.end(sent)
    const received = await readToEnd(client)
    t.equal(sha256(received.bytes), sha256(sent))
    client.end()
    await closed
  })

  await t.test('still get their own bytes and no others', async (t) => {
    // Nothing that somebody waits for may be overwritten, whoever wants to read on.
    for (const { ends } of stuck) ends.upstream.resume()
    await setTimeout(50)
    await Promise.all(
      [...waiting].map(async ([{ client, closed }, bytes]) => {
        const received = await readToEnd(client.resume())
        t.equal(sha256(received.bytes), sha256(bytes))
        client.end()
        await closed
      }),
    )
    t.equal(buffers.leased, 0)
  })
})

void t.test('IntakeSocket: reads nothing before it is told where to', async (t) => {
  const { near, far } = await pairWithIntake()
  if (!(near instanceof IntakeSocket)) throw new Error('not an intake')
  far.write('early')
  near.resume()
  await setTimeout(50)
  t.equal(near.bytesRead, 0)
  const { near: sink, far: reader } = await pairOfSockets()
  near.pourInto({ stream: sink, take: () => true })
  near.resume()
  const [bytes] = (await once(reader, 'data')) as [Buffer]
  t.equal(bytes.toString(), 'early')
  for (const socket of [near, far, sink, reader]) socket.destroy()
})

interface Digest {
  readonly hash: Hash
  bytes: number
}

function digest(client: Socket): Digest {
  const received: Digest = { hash: createHash('sha256'), bytes: 0 }
  client.on('data', (chunk: Buffer) => {
    received.hash.update(chunk)
    received.bytes += chunk.length
  })
  return received
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + seconds(20)
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`)
    await setTimeout(2)
  }
}
