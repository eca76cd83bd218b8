import { createServer, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { createOpenConnections, OpenEntry } from '../../src/transport/connections.ts'
import { createDial } from '../../src/transport/dial.ts'
import { openTunnel } from '../../src/transport/tunnel.ts'
import { minutes, seconds } from '../../src/units.ts'
import { watchLoop } from '../support/watch-loop.ts'
import { addressOf, listening } from './sockets.ts'

/** A process that carries very many tunnels, judges them again when told, and says how long its loop stalled. */

const loopback = addressOf('127.0.0.1')
const dial = createDial()
let version = 0
const open = createOpenConnections({ version: () => String(version) })
/** Of the tunnels numbered so, modulo ten, none is allowed any more. */
let deniedRemainders: readonly number[] = []
let numbered = 0
let upstreamPort = 0

const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
  client.on('error', () => undefined)
  void carry(client)
})
const port = await listening(server)

process.on(
  'message',
  (message: {
    upstreamPort?: number
    deny?: readonly number[]
    ask?: boolean
    inProcess?: number
  }) => {
    for (let count = 0; count < (message.inProcess ?? 0); count++) {
      const [[client], [upstream]] = [duplexPair(), duplexPair()]
      join(client, upstream)
    }
    if (message.upstreamPort !== undefined) {
      upstreamPort = message.upstreamPort
      process.send?.({ port })
    }
    if (message.ask === true) process.send?.({ size: open.size })
    if (message.deny !== undefined) void judge(message.deny)
  },
)

async function carry(client: Socket): Promise<void> {
  const dialled = await dial({ addresses: [loopback], port: upstreamPort, timeoutMs: seconds(20) })
  if (dialled.kind === 'failed') {
    client.destroy()
    return
  }
  join(client, dialled.socket)
}

function join(client: Duplex, upstream: Duplex): void {
  const number = numbered++
  const entry = new OpenEntry()
  entry.version = String(version)
  const tunnel = openTunnel({
    client,
    upstream,
    clientHead: Buffer.alloc(0),
    upstreamHead: Buffer.alloc(0),
    idleMs: minutes(5),
    lifetimeMs: minutes(5),
    onClose: () => open.unregister(entry),
  })
  open.register(entry, {
    judge: () => !deniedRemainders.includes(number % 10),
    revoke: () => tunnel.end('policy-revoked'),
  })
}

async function judge(deny: readonly number[]): Promise<void> {
  deniedRemainders = deny
  version++
  const before = open.size
  // Tunnels that have been open for a while are old to the collector; these were opened a moment ago.
  globalThis.gc?.()
  const probe = watchLoop()
  const started = performance.now()
  await open.judgeAgain(String(version))
  const passMs = performance.now() - started
  // The ends have consequences after the pass: they count as well.
  await new Promise((resolve) => setTimeout(resolve, 100))
  process.send?.({ judged: before, left: open.size, passMs, ...probe() })
}
