import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate, setTimeout } from 'node:timers/promises'
import t from 'tap'
import { openTunnel, type TunnelEnd, type TunnelOptions } from '../../src/transport/tunnel.ts'
import { KiB, MiB, seconds } from '../../src/units.ts'
import { join, type Joined } from './join.ts'
import { pairOfSockets, pairOfStreams, pairOverTls, pairWithIntake, readToEnd } from './sockets.ts'

const other = { client: 'upstream', upstream: 'client' } as const

const resets = [
  { side: 'client', closeReason: 'client-reset' },
  { side: 'upstream', closeReason: 'backend-reset' },
] as const

const abortions: readonly ((joined: Joined<Socket>) => unknown)[] = [
  ({ client }) => client.resetAndDestroy(),
  ({ upstream }) => upstream.resetAndDestroy(),
  ({ client }) => client.destroy(),
  ({ upstream }) => upstream.destroy(),
  ({ tunnel }) => tunnel.end('policy-revoked'),
  ({ client, upstream }) => [client.end(), upstream.end()],
]

const upstreams = [
  { over: 'TCP', upstreamPair: pairOfSockets },
  { over: 'TCP, read through shared memory', upstreamPair: pairWithIntake },
]

for (const { over, upstreamPair } of upstreams) {
  const joinOver = async (options: Partial<TunnelOptions> = {}): Promise<Joined<Socket>> =>
    join(pairOfSockets, { ...options, upstreamPair })

  void t.test(`openTunnel over ${over}: a reset on one side is a reset on the other`, async (t) => {
    for (const { side, closeReason } of resets) {
      await t.test(`from the ${side}`, async (t) => {
        const joined = await joinOver()
        const seen = readToEnd(joined[other[side]])
        joined[side].write('half of it')
        await once(joined[other[side]], 'data')
        joined[side].resetAndDestroy()
        t.equal((await seen).how, 'reset', 'and never a clean end')
        t.equal((await joined.closed).closeReason, closeReason)
      })
    }

    await t.test('under TLS without close_notify', async (t) => {
      const joined = await join(pairOverTls)
      const seen = readToEnd(joined.client)
      joined.ends.upstream.destroy(new Error('as if reset'))
      await seen
      t.equal((await joined.closed).closeReason, 'backend-reset')
    })

    await t.test('a stream that only closes', async (t) => {
      for (const [side, closeReason] of [
        ['client', 'client-closed'],
        ['upstream', 'backend-reset'],
      ] as const) {
        const joined = await join(pairOfStreams)
        joined.ends[side].destroy()
        t.equal((await joined.closed).closeReason, closeReason, side)
        t.equal(joined.ends[other[side]].destroyed, true)
      }
    })
  })

  void t.test(
    `openTunnel over ${over}: what was sent before going away still arrives`,
    async (t) => {
      await t.test('from a client that closes right after its last byte', async (t) => {
        const joined = await joinOver()
        const upload = Buffer.alloc(MiB, 'u')
        joined.client.end(upload, () => joined.client.destroy())
        await once(joined.ends.client, 'end')
        // The answer meets a closed port: the kernel resets the connection while the upload is under way.
        const answer = setInterval(() => joined.upstream.write('taken by nobody'), 10)
        await gone(joined.ends.client)
        clearInterval(answer)
        const received = await readToEnd(joined.upstream)
        t.equal(received.bytes.length, upload.length)
        t.equal(received.how, 'end')
        joined.upstream.end()
        const { bytesIn, closeReason } = await joined.closed
        t.same([bytesIn, closeReason], [upload.length, 'client-closed'])
      })

      await t.test('from a client that fails after its end, while all of it waits', async (t) => {
        const joined = await join(pairOfStreams, { clientHead: Buffer.alloc(MiB, 'u') })
        joined.client.end()
        await once(joined.ends.client.resume(), 'end')
        joined.ends.client.destroy(new Error('as if reset'))
        await gone(joined.ends.client)
        const received = await readToEnd(joined.upstream)
        t.same([received.bytes.length, received.how], [MiB, 'end'])
        joined.upstream.end()
        t.equal((await joined.closed).closeReason, 'client-closed')
      })

      await t.test('from an upstream that closes right after its last byte', async (t) => {
        const joined = await joinOver()
        const download = Buffer.alloc(MiB, 'd')
        joined.upstream.end(download, () => joined.upstream.destroy())
        await once(joined.ends.upstream, 'end')
        const talk = setInterval(() => joined.client.write('a late word'), 10)
        await gone(joined.ends.upstream)
        clearInterval(talk)
        const received = await readToEnd(joined.client)
        t.equal(received.bytes.length, download.length)
        t.equal(received.how, 'end', 'in order, not cut')
        joined.client.end()
        t.equal((await joined.closed).closeReason, 'complete')
      })
    },
  )

  void t.test(`openTunnel over ${over}: time runs out`, async (t) => {
    await t.test('without a byte either way', async (t) => {
      const started = performance.now()
      const joined = await joinOver({ idleMs: 100 })
      const seen = readToEnd(joined.client)
      t.equal((await joined.closed).closeReason, 'tunnel-idle-timeout')
      t.ok(performance.now() - started >= 100, 'not early')
      t.equal((await seen).how, 'reset')
    })

    await t.test('half-open is no way to stay for ever', async (t) => {
      const joined = await joinOver({ idleMs: 100 })
      joined.client.end('question')
      joined.upstream.resume()
      t.same(await joined.closed, {
        bytesIn: 8,
        bytesOut: 0,
        closeReason: 'tunnel-idle-timeout',
      })
    })

    await t.test('bytes that wait for a reader do not count as moving', async (t) => {
      const joined = await joinOver({ idleMs: 100 })
      joined.client.write(Buffer.alloc(32 * MiB))
      t.equal((await joined.closed).closeReason, 'tunnel-idle-timeout')
    })

    for (const side of ['client', 'upstream'] as const) {
      await t.test(
        `not while bytes come from the ${side}, until its lifetime is over`,
        async (t) => {
          const joined = await joinOver({ idleMs: 300, lifetimeMs: 1000 })
          joined[other[side]].resume()
          const drip = setInterval(() => joined[side].write('.'), 20)
          const { closeReason } = await joined.closed
          clearInterval(drip)
          t.equal(closeReason, 'tunnel-lifetime')
        },
      )
    }
  })

  void t.test(
    `Tunnel.end over ${over}: ends both sides at once, for the first reason given`,
    async (t) => {
      await t.test('both see a reset', async (t) => {
        const joined = await joinOver()
        const seen = Promise.all([readToEnd(joined.client), readToEnd(joined.upstream)])
        joined.tunnel.end('policy-revoked')
        joined.tunnel.end('drain-timeout')
        t.same(
          (await seen).map(({ how }) => how),
          ['reset', 'reset'],
        )
        t.equal((await joined.closed).closeReason, 'policy-revoked')
        joined.tunnel.end('drain-timeout')
        await setImmediate()
        t.equal(joined.timesClosed(), 1)
      })

      await t.test('what waits to be written is dropped', async (t) => {
        const joined = await joinOver()
        joined.client.write(Buffer.alloc(32 * MiB, 'x'))
        await once(joined.ends.client, 'pause')
        joined.tunnel.end('policy-revoked')
        t.equal((await readToEnd(joined.upstream)).how, 'reset')
        const { bytesIn, closeReason } = await joined.closed
        t.equal(closeReason, 'policy-revoked')
        t.ok(bytesIn < 32 * MiB)
      })

      await t.test('while an end waits behind bytes that nobody takes', async (t) => {
        const joined = await joinOver()
        while (joined.ends.upstream.writableLength === 0) {
          joined.client.write(Buffer.alloc(16 * KiB, 'x'))
          await setImmediate()
        }
        joined.client.end()
        await once(joined.ends.client, 'end')
        t.equal(joined.ends.upstream.writableFinished, false)
        joined.tunnel.end('policy-revoked')
        t.equal((await readToEnd(joined.upstream)).how, 'reset')
        t.equal((await joined.closed).closeReason, 'policy-revoked')
      })

      await t.test('in the very moment that an end is passed on', async (t) => {
        const joined = await joinOver()
        joined.upstream.resume()
        joined.client.end('last')
        joined.ends.upstream.on('error', (error) => t.fail(error.message))
        await once(joined.ends.client, 'end')
        t.equal(joined.ends.upstream.writableLength, 0)
        t.equal(joined.ends.upstream.writableFinished, false)
        joined.tunnel.end('policy-revoked')
        await gone(joined.upstream.end())
        t.equal((await joined.closed).closeReason, 'policy-revoked')
      })

      await t.test('a stream that is no socket', async (t) => {
        const joined = await join(pairOfStreams)
        joined.tunnel.end('internal-error')
        t.same(await joined.closed, { bytesIn: 0, bytesOut: 0, closeReason: 'internal-error' })
      })
    },
  )

  void t.test(`openTunnel over ${over}: takes what had happened before as it is`, async (t) => {
    await t.test('a client that had ended', async (t) => {
      const [a, b] = [await pairOfSockets(), await upstreamPair()]
      a.near.end()
      a.far.resume()
      await once(a.far, 'end')
      const closed = open({ client: a.far, upstream: b.near, clientHead: 'all of it' })
      t.equal((await readToEnd(b.far)).bytes.toString(), 'all of it')
      b.far.end('answer')
      t.equal((await readToEnd(a.near)).bytes.toString(), 'answer')
      t.equal((await closed).closeReason, 'complete')
    })

    await t.test('a client that was gone', async (t) => {
      const [a, b] = [await pairOfSockets(), await upstreamPair()]
      a.near.resetAndDestroy()
      await gone(a.far)
      t.equal((await open({ client: a.far, upstream: b.near })).closeReason, 'client-reset')
      t.equal(b.near.destroyed, true)
    })

    await t.test('an upstream that was gone', async (t) => {
      const [a, b] = [await pairOfSockets(), await upstreamPair()]
      b.near.destroy()
      const closed = open({ client: a.far, upstream: b.near })
      t.equal((await closed).closeReason, 'backend-reset')
    })

    await t.test(
      'both gone: the owner is told all the same, and never before it has the tunnel',
      async (t) => {
        const [a, b] = [await pairOfSockets(), await upstreamPair()]
        a.far.destroy()
        b.near.destroy()
        await Promise.all([gone(a.far), gone(b.near)])
        let isOpen = false
        const closed = open({ client: a.far, upstream: b.near }).then((end) => {
          t.equal(isOpen, true)
          return end
        })
        isOpen = true
        t.equal((await closed).closeReason, 'client-closed')
      },
    )

    await t.test('a time-out that its former owner had set', async (t) => {
      const [a, b] = [await pairOfSockets(), await upstreamPair()]
      a.far.setTimeout(50, () => t.fail('the former owner is asked'))
      const closed = open({ client: a.far, upstream: b.near, idleMs: 200 })
      t.equal((await closed).closeReason, 'tunnel-idle-timeout')
    })
  })

  void t.test(`openTunnel over ${over}: leaves no socket and no timer behind`, async (t) => {
    const before = resources()
    for (let round = 0; round < 10; round++) {
      const all = await Promise.all(
        abortions.map(async (abort) => {
          const joined = await joinOver({ clientHead: Buffer.alloc(MiB), idleMs: 200 })
          joined.client.on('error', () => undefined).resume()
          joined.upstream.on('error', () => undefined).resume()
          abort(joined)
          await joined.closed
          joined.client.destroy()
          joined.upstream.destroy()
          return joined
        }),
      )
      t.ok(all.every(({ timesClosed }) => timesClosed() === 1))
    }
    for (const until = performance.now() + seconds(5); resources() > before;) {
      if (performance.now() > until) break
      await setTimeout(20)
    }
    t.ok(resources() <= before, `${resources()} now, ${before} before`)
  })
}

void t.test(
  'openTunnel: a socket that ends itself behind our back does not block the other',
  async (t) => {
    const [a, b] = [await pairOfSockets(), await pairOfSockets({ allowHalfOpen: false })]
    const closed = open({ client: a.far, upstream: b.near })
    a.near.write(Buffer.alloc(32 * MiB))
    await once(a.far, 'pause')
    b.far.end()
    b.far.resume()
    a.near.resume()
    await once(b.near, 'finish')
    a.near.end()
    t.match((await closed).closeReason, /^(complete|backend-reset)$/)
  },
)

function resources(): number {
  return process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout/.test(kind)).length
}

async function gone(stream: Duplex): Promise<void> {
  await new Promise((resolve) => stream.once('close', resolve))
}

interface Given {
  readonly client: Duplex
  readonly upstream: Duplex
  readonly clientHead?: string
  readonly idleMs?: number
}

async function open(given: Given): Promise<TunnelEnd> {
  return new Promise((resolve) => {
    openTunnel({
      idleMs: seconds(20),
      lifetimeMs: seconds(60),
      upstreamHead: Buffer.alloc(0),
      onClose: resolve,
      ...given,
      clientHead: Buffer.from(given.clientHead ?? ''),
    })
  })
}
