import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type IpAddress, parseAddress } from '../../src/wire/address.ts'

/** Two ends of one TCP connection over loopback, half-open allowed. What fails on them ends no test by itself. */
export interface Pair {
  /** The end that connected. */
  readonly near: Socket
  /** The end that was accepted. */
  readonly far: Socket
}

export async function pairOfSockets(): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  const port = await listening(server)
  const near = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  near.on('error', () => undefined)
  const [far] = (await once(server, 'connection')) as [Socket]
  far.on('error', () => undefined)
  server.close()
  if (near.connecting) await once(near, 'connect')
  return { near, far }
}

/** Port of a server that listens on loopback from now on. */
export async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return address.port
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
