import type { Socket } from 'node:net'
import { KiB } from '../../../src/units.ts'
import type { LoadResult } from '../load-result.ts'
import { openTunnel, type TunnelTarget } from './open-tunnel.ts'

/** Moves as much as goes through some tunnels, in one direction, for so many seconds. */
interface BulkOrder extends TunnelTarget {
  readonly direction: 'download' | 'upload'
  readonly tunnels: number
  readonly seconds: number
}

const order: BulkOrder = JSON.parse(process.argv[2] ?? '{}')
const buffer = Buffer.allocUnsafe(256 * KiB)
const chunk = Buffer.alloc(256 * KiB, 'x')
const bytesPerUnit = 1e9
const start = performance.now()
let received = 0

function upload(socket: Socket): void {
  const fill = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  }
  socket.on('drain', fill)
  fill()
}

function open(): Socket {
  const socket = openTunnel(order, {
    buffer,
    open: (tunnel) => {
      if (order.direction === 'upload') upload(tunnel)
    },
    bytes: (length) => (received += length),
  })
  return socket.on('error', (error) => {
    throw error
  })
}

const sockets = Array.from({ length: order.tunnels }, open)
setTimeout(() => {
  const sent = sockets.reduce((sum, one) => sum + one.bytesWritten - one.writableLength, 0)
  const bytes = order.direction === 'upload' ? sent : received
  const result: LoadResult = {
    units: bytes / bytesPerUnit,
    seconds: (performance.now() - start) / 1000,
  }
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit())
}, order.seconds * 1000)
