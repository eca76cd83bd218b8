import { connect, type Socket } from 'node:net'
import { KiB } from '../../src/units.ts'
import { ordersHost, originHost, type Ports } from './world.ts'

/** Clients that give up, one in each phase of a request's life. Nothing comes of them, and nothing may stay. */

export interface Abort {
  readonly kind: string
  readonly port: (ports: Ports) => number
  /** What is sent. */
  readonly bytes: (ports: Ports) => string
  /** Gives up after so many bytes of an answer; 0: without waiting for one. */
  readonly after: number
}

const host = `Host: ${ordersHost}\r\n`
const inbound = ({ inbound: port }: Ports): number => port
const outbound = ({ outbound: port }: Ports): number => port
/** However long a client would have to wait for what it gives up upon. */
const patienceMs = 5_000
const upgradeHead = `GET /socket HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`

export const aborts: readonly Abort[] = [
  { kind: 'before a byte', port: inbound, bytes: () => '', after: 0 },
  {
    kind: 'in the head',
    port: inbound,
    bytes: () => `GET /bytes/1 HTTP/1.1\r\n${host}Acc`,
    after: 0,
  },
  {
    kind: 'in a body of known length',
    port: inbound,
    bytes: () =>
      `POST /digest HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\n${'x'.repeat(1000)}`,
    after: 0,
  },
  {
    kind: 'in a chunk',
    port: inbound,
    bytes: () => `POST /digest HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nffff\r\nhalf`,
    after: 0,
  },
  {
    kind: 'waiting for an answer',
    port: inbound,
    bytes: () => `GET /slow HTTP/1.1\r\n${host}\r\n`,
    after: 0,
  },
  {
    kind: 'in an answer',
    port: inbound,
    bytes: () => `GET /bytes/5000000 HTTP/1.1\r\n${host}\r\n`,
    after: 64 * KiB,
  },
  {
    kind: 'in a slow answer',
    port: inbound,
    bytes: () => `GET /slow HTTP/1.1\r\n${host}\r\n`,
    after: 1,
  },
  { kind: 'opening an upgrade', port: inbound, bytes: () => upgradeHead, after: 0 },
  { kind: 'in an upgrade', port: inbound, bytes: () => upgradeHead, after: 1 },
  { kind: 'opening a tunnel', port: outbound, bytes: connectHead, after: 0 },
  { kind: 'in a tunnel', port: outbound, bytes: connectHead, after: 1 },
  {
    kind: 'in an answer to an absolute form',
    port: outbound,
    bytes: ({ orders }) =>
      `GET http://${originHost}:${orders.http}/bytes/5000000 HTTP/1.1\r\nHost: ${originHost}:${orders.http}\r\n\r\n`,
    after: 64 * KiB,
  },
]

function connectHead({ orders }: Ports): string {
  const authority = `${originHost}:${orders.echo}`
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`
}

/** Half of them close, half reset. Rejects if there is not so much of an answer as was waited for. */
export async function performAbort(
  abort: Abort,
  { ports, random }: { readonly ports: Ports; readonly random: () => number },
): Promise<void> {
  const socket = connect(abort.port(ports), '127.0.0.1')
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let received = 0
  socket.setTimeout(patienceMs, () => reject(new Error(`giving up ${abort.kind}: no answer`)))
  socket.on('error', reject)
  socket.on('close', () => reject(new Error(`giving up ${abort.kind}: closed after ${received}`)))
  socket.on('data', (bytes: Buffer) => {
    received += bytes.length
    if (abort.after > 0 && received >= abort.after) resolve()
  })
  socket.on('connect', () => {
    socket.write(abort.bytes(ports))
    if (abort.after === 0) setTimeout(resolve, random() * 10)
  })
  try {
    await promise
  } finally {
    giveUp(socket, random())
  }
}

function giveUp(socket: Socket, chance: number): void {
  socket.on('error', () => undefined)
  if (chance < 0.5) socket.destroy()
  else socket.resetAndDestroy()
}
