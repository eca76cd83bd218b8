import type { Duplex } from 'node:stream'
import t from 'tap'
import {
  RelayConnection,
  type RelayLimits,
  type RelayOwner,
} from '../../../src/transport/relay/relay-connection.ts'
import { MiB } from '../../../src/units.ts'
import { pairOfSockets, pairOverTls, readToEnd } from '../sockets.ts'

const limits: RelayLimits = {
  limits: { headerBytes: 16_384 },
  timeouts: { headerMs: 60_000, keepAliveMs: 60_000, bodyIdleMs: 60_000 },
}

/** Refuses whatever is asked for; `/last` is the last that it answers. Says how many it was asked for. */
function refuseAll(stream: Duplex): () => number {
  let asked = 0
  const owner: RelayOwner = {
    answersNoise: false,
    limits: () => limits,
    isDraining: () => false,
    onClose() {},
    onUnreadable() {},
    onRequest(crossing) {
      asked++
      crossing.refuse({
        status: 403,
        head: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n',
        body: Buffer.from('no'),
        isLast: crossing.target === '/last',
      })
    },
  }
  stream.on('error', () => {})
  const relay = new RelayConnection(stream, owner)
  relay.pump()
  return () => asked
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

void t.test('requests that came whole before the end are answered, all of them', async (t) => {
  // Over TLS the end may be told in one breath with what came before it, and so while others have their turn.
  for (const { note, pair } of [
    { note: 'TCP', pair: pairOfSockets },
    { note: 'TLS', pair: pairOverTls },
  ]) {
    const { near, far } = await pair()
    const asked = refuseAll(near)
    const received = readToEnd(far)
    far.end(get('/').repeat(100))
    const { bytes } = await received
    t.equal(bytes.toString('latin1').split('HTTP/1.1 403').length - 1, 100, note)
    t.equal(asked(), 100, note)
  }
})

void t.test('who sends without end behind the last answer is cut off', async (t) => {
  const { near, far } = await pairOfSockets()
  refuseAll(near)
  far.on('error', () => {})
  far.resume()
  far.write(get('/last'))
  const chunk = Buffer.alloc(MiB)
  let sent = 0
  while (!far.destroyed && sent < 96) {
    sent++
    await new Promise<void>((resolve) => {
      far.once('close', resolve)
      far.write(chunk, () => {
        far.off('close', resolve)
        resolve()
      })
    })
  }
  t.ok(sent >= 64 && sent < 96, `${sent} MiB`)
})
