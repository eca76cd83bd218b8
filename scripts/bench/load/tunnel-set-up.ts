import { KiB } from '../../../src/units.ts'
import { createHistogram } from './histogram.ts'
import type { LoadResult } from '../load-result.ts'
import { openTunnel, type TunnelTarget } from './open-tunnel.ts'

/**
 * Opens a tunnel to something that echoes, sends a few bytes through it, closes it when they are back, and again, in so
 * many places at once.
 */
interface TunnelSetUpOrder extends TunnelTarget {
  readonly connections: number
  readonly seconds: number
}

const order: TunnelSetUpOrder = JSON.parse(process.argv[2] ?? '{}')
const times = createHistogram()
const message = Buffer.from('sixteen bytes...')
const buffer = Buffer.allocUnsafe(1 * KiB)
const start = performance.now()
const end = start + order.seconds * 1000
let running = order.connections

function next(): void {
  const begun = performance.now()
  if (begun >= end) {
    if (--running === 0) report()
    return
  }
  let echoed = 0
  const socket = openTunnel(order, {
    buffer,
    open: (tunnel) => tunnel.write(message),
    bytes(length, tunnel) {
      echoed += length
      if (echoed === message.length) tunnel.end()
    },
  })
  socket.on('error', (error) => {
    throw error
  })
  socket.on('close', () => {
    if (echoed !== message.length) throw new Error('a tunnel ended before its echo')
    times.add(performance.now() - begun)
    next()
  })
}

function report(): void {
  const result: LoadResult = {
    units: times.count,
    seconds: (performance.now() - start) / 1000,
    p50Ms: times.quantile(0.5),
    p99Ms: times.quantile(0.99),
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

for (let count = 0; count < order.connections; count++) next()
