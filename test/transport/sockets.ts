import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { IntakeSocket } from '../../src/transport/intake-socket.ts'
import type { LargeBuffers } from '../../src/transport/large-buffers.ts'
import { type IpAddress, parseAddress } from '../../src/wire/address.ts'

/** Two ends of one TCP connection over loopback, half-open allowed. What fails on them ends no test by itself. */
export interface Pair {
  /** The end that connected. */
  readonly near: Socket
  /** The end that was accepted. */
  readonly far: Socket
}

export async function pairOfSockets({ allowHalfOpen = true } = {}): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  const port = await listening(server)
  const near = connect({ host: '127.0.0.1', port, allowHalfOpen, noDelay: true })
  near.on('error', () => undefined)
  const [far] = (await once(server, 'connection')) as [Socket]
  far.on('error', () => undefined)
  server.close()
  if (near.connecting) await once(near, 'connect')
  return { near, far }
}

/** The end that connected is one that a tunnel reads through memory that is not its own. */
export async function pairWithIntake(largeBuffers?: LargeBuffers): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  const port = await listening(server)
  const near = new IntakeSocket(largeBuffers).connect({ host: '127.0.0.1', port })
  near.on('error', () => undefined)
  const [far] = (await once(server, 'connection')) as [Socket]
  far.on('error', () => undefined)
  server.close()
  if (near.connecting) await once(near, 'connect')
  return { near, far }
}

/** Port of a server that listens on loopback from now on. */
export async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen({ host, port: 0, backlog: 4096 })
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return address.port
}

export async function pairOfStreams(): Promise<{ near: Duplex; far: Duplex }> {
  const [near, far] = duplexPair()
  return { near, far }
}

export async function pairOverUnixSocket(path: string): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true })
  server.listen({ path })
  await once(server, 'listening')
  const near = connect({ path, allowHalfOpen: true })
  const [far] = (await once(server, 'connection')) as [Socket]
  server.close()
  return { near, far }
}

/** With a shared key in place of certificates. */
export async function pairOverTls(): Promise<{ near: TLSSocket; far: TLSSocket }> {
  const psk = randomBytes(16)
  const common = {
    ciphers: 'PSK-AES128-GCM-SHA256',
    maxVersion: 'TLSv1.2',
    allowHalfOpen: true,
  } as const
  const server = createTlsServer({ ...common, pskCallback: () => psk })
  const port = await listening(server)
  const near = connectTls({
    ...common,
    host: '127.0.0.1',
    port,
    pskCallback: () => ({ psk, identity: 'test' }),
    checkServerIdentity: () => undefined,
  })
  const [far] = (await once(server, 'secureConnection')) as [TLSSocket]
  server.close()
  return { near, far }
}

export interface Received {
  readonly bytes: Buffer
  /** `end`: in order, all of it; `reset`: cut off; `close`: gone without either. */
  readonly how: 'end' | 'reset' | 'close'
}

/** Reads to the end, however it comes. */
export async function readToEnd(stream: Duplex): Promise<Received> {
  const chunks: Buffer[] = []
  return new Promise((resolve) => {
    const settle = (how: Received['how']): void => resolve({ bytes: Buffer.concat(chunks), how })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('end', () => settle('end'))
    stream.once('error', () => settle('reset'))
    stream.once('close', () => settle('close'))
  })
}

export function addressOf(text: string): IpAddress {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`not an address: ${text}`)
  return address
}
