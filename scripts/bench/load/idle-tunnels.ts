import { createServer } from 'node:net'
import { KiB, MiB } from '../../../src/units.ts'
import { openTunnel, type TunnelTarget } from './open-tunnel.ts'

/** Opens many tunnels, takes 1 MiB through each, and keeps them all. Listens on `ready` as soon as the last is idle. */
export interface IdleTunnelsOrder extends TunnelTarget {
  readonly tunnels: number
  readonly ready: number
}

const order: IdleTunnelsOrder = JSON.parse(process.argv[2] ?? '{}')
const atOnce = 25
const bytesEach = 1 * MiB
const buffer = Buffer.allocUnsafe(256 * KiB)
let begun = 0
let idle = 0

function next(): void {
  if (begun === order.tunnels) return
  begun++
  let received = 0
  const socket = openTunnel(order, {
    buffer,
    open: () => undefined,
    bytes(length) {
      received += length
      if (received !== bytesEach) return
      idle++
      if (idle === order.tunnels) createServer().listen(order.ready, '127.0.0.1')
      next()
    },
  })
  socket.on('error', (error) => {
    throw error
  })
  socket.on('close', () => {
    throw new Error(`a tunnel was closed after ${received} bytes`)
  })
}

for (let count = 0; count < atOnce; count++) next()
