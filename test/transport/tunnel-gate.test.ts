import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import type { Gate, Opening } from '../../src/transport/tunnel.ts'
import { KiB, MiB } from '../../src/units.ts'
import { join } from './join.ts'
import { pairOfSockets, pairWithIntake, readToEnd } from './sockets.ts'

/** Opens once it has read `enough` bytes, or by its end. */
class CountingGate implements Gate {
  readonly read: Buffer[] = []
  readonly #enough: number
  readonly #refuse: boolean

  constructor(enough: number, options: { refuse?: boolean } = {}) {
    this.#enough = enough
    this.#refuse = options.refuse ?? false
  }

  onBytes(bytes: Buffer): Opening | undefined {
    this.read.push(bytes)
    return Buffer.concat(this.read).length < this.#enough ? undefined : this.onEnd()
  }

  onEnd(): Opening {
    return this.#refuse
      ? { kind: 'refuse', lastWords: Buffer.from('no'), closeReason: 'not-tls' }
      : { kind: 'pass', bytes: Buffer.concat(this.read) }
  }
}

const pairs = { upstreamPair: pairWithIntake }

void t.test('a gate holds the client and not the upstream', async (t) => {
  const gate = new CountingGate(6)
  const { client, upstream, tunnel, closed } = await join(pairOfSockets, { ...pairs, gate })
  upstream.write('banner')
  client.write('one')
  let seen = ''
  upstream.on('data', (chunk: Buffer) => (seen += chunk.toString()))
  while (gate.read.length === 0 || tunnel.bytesOut === 0) await setImmediate()
  t.equal(seen, '', 'nothing has gone on')
  client.end('two')
  upstream.end()
  const atClient = await readToEnd(client)
  t.equal(atClient.bytes.toString(), 'banner')
  t.same(await closed, { bytesIn: 6, bytesOut: 6, closeReason: 'complete' })
  t.equal(seen, 'onetwo')
})

void t.test('early bytes are held too, and may be refused', async (t) => {
  const gate = new CountingGate(5, { refuse: true })
  const clientHead = Buffer.from('early')
  const { client, upstream, closed, timesClosed } = await join(pairOfSockets, {
    ...pairs,
    gate,
    clientHead,
  })
  const [atClient, atUpstream] = await Promise.all([readToEnd(client), readToEnd(upstream)])
  t.same([atClient.bytes.toString(), atClient.how], ['no', 'end'])
  t.same([atUpstream.bytes.toString(), atUpstream.how], ['', 'end'])
  client.end('still talking')
  t.same(await closed, { bytesIn: 0, bytesOut: 0, closeReason: 'not-tls' })
  t.equal(timesClosed(), 1)
})

void t.test('the end of the client opens the gate', async (t) => {
  for (const refuse of [false, true]) {
    const gate = new CountingGate(100, { refuse })
    const { client, upstream, closed } = await join(pairOfSockets, { ...pairs, gate })
    client.end('all')
    const atUpstream = await readToEnd(upstream)
    upstream.end()
    t.equal(atUpstream.bytes.toString(), refuse ? '' : 'all')
    t.equal((await closed).closeReason, refuse ? 'not-tls' : 'complete')
  }
})

void t.test('open opens it from outside, once', async (t) => {
  const gate = new CountingGate(100)
  const { client, upstream, tunnel, closed } = await join(pairOfSockets, { ...pairs, gate })
  client.write('held')
  while (gate.read.length === 0) await setImmediate()
  tunnel.open(gate.onEnd())
  tunnel.open({ kind: 'refuse', lastWords: Buffer.from('no'), closeReason: 'not-tls' })
  client.end(' and more')
  t.equal((await readToEnd(upstream)).bytes.toString(), 'held and more')
  upstream.end()
  t.equal((await closed).closeReason, 'complete')
})

void t.test('a tunnel that has ended opens no more', async (t) => {
  const gate = new CountingGate(100)
  const { client, upstream, tunnel, closed } = await join(pairOfSockets, { ...pairs, gate })
  client.write('held')
  while (gate.read.length === 0) await setImmediate()
  const atUpstream = readToEnd(upstream)
  tunnel.end('policy-revoked')
  tunnel.open(gate.onEnd())
  t.equal((await closed).closeReason, 'policy-revoked')
  t.equal((await atUpstream).bytes.length, 0)
})

void t.test(
  'what was held and what follows arrive whole, whatever the upstream takes',
  async (t) => {
    const gate = new CountingGate(70 * KiB)
    const { client, upstream, closed } = await join(pairOfSockets, { ...pairs, gate })
    upstream.pause()
    client.end(Buffer.alloc(4 * MiB, 7))
    while (gate.read.length === 0) await setImmediate()
    const whole = readToEnd(upstream)
    upstream.resume()
    const atUpstream = await whole
    t.equal(atUpstream.bytes.length, 4 * MiB)
    upstream.end()
    t.equal((await closed).bytesIn, 4 * MiB)
  },
)
