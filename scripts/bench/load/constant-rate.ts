import { connect } from 'node:net'
import { KiB } from '../../../src/units.ts'
import type { LoadResult } from '../load-result.ts'
import { createHistogram } from './histogram.ts'
import { createResponseReader } from './response-reader.ts'

/**
 * Requests at a constant rate, whether or not earlier ones are answered. Latency counts from when a request was meant to
 * be sent: one that waits because every connection is busy, or because this program was late, has waited.
 */
export interface ConstantRateOrder {
  readonly port: number
  /** The request, as it goes over the wire. */
  readonly head: string
  readonly connections: number
  readonly seconds: number
  /** Requests a second. */
  readonly rate: number
}

const order: ConstantRateOrder = JSON.parse(process.argv[2] ?? '{}')
const request = Buffer.from(order.head)
const intervalMs = 1000 / order.rate
const latencies = createHistogram()
const buffer = Buffer.allocUnsafe(64 * KiB)
/** Those that wait for nothing, the longest idle first. */
const idle: ((intendedAt: number) => void)[] = []
/** After the end, answers are waited for so long. */
const patienceMs = 5_000

function openConnection(onOpen: () => void): void {
  let intendedAt = 0
  const send = (intended: number): void => {
    intendedAt = intended
    socket.write(request)
  }
  const read = createResponseReader(() => {
    latencies.add(performance.now() - intendedAt)
    idle.push(send)
  })
  const callback = (length: number): boolean => {
    read(buffer.subarray(0, length))
    return true
  }
  const where = { port: order.port, host: '127.0.0.1', noDelay: true }
  const socket = connect({ ...where, onread: { buffer, callback } }, () => {
    idle.push(send)
    onOpen()
  })
  socket.on('error', (error) => {
    throw error
  })
  socket.on('close', () => {
    throw new Error('the proxy closed a connection')
  })
}

function begin(): void {
  const start = performance.now()
  const end = start + order.seconds * 1000
  let next = start
  // Timers come in whole milliseconds, and late: so this asks for the time again and again. It yields its core to others.
  const turn = (): void => {
    const now = performance.now()
    while (next <= now && next < end) {
      const send = idle.shift()
      if (send === undefined) break
      send(next)
      next += intervalMs
    }
    const isAnswered = next >= end && idle.length === order.connections
    if (isAnswered || now > end + patienceMs) report(start)
    else setImmediate(turn)
  }
  turn()
}

function report(start: number): void {
  const result: LoadResult = {
    units: latencies.count,
    seconds: (performance.now() - start) / 1000,
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
  }
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit())
}

let opening = order.connections
for (let count = 0; count < order.connections; count++) {
  openConnection(() => {
    if (--opening === 0) begin()
  })
}
