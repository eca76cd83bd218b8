import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { KiB } from '../../../src/units.ts'
import type { LoadResult } from '../load-result.ts'
import { createHistogram } from './histogram.ts'
import { createResponseReader, type ReadResponses } from './response-reader.ts'

/**
 * Connections that each send the same request again as soon as it is answered, for so many seconds.
 *
 *   node keep-alive.ts '{"port":8080,"head":"GET / HTTP/1.1\r\n…","connections":64,"seconds":4,"tls":false}'
 */
export interface KeepAliveOrder {
  readonly port: number
  /** The request, as it goes over the wire. */
  readonly head: string
  readonly connections: number
  readonly seconds: number
  readonly tls: boolean
}

const order: KeepAliveOrder = JSON.parse(process.argv[2] ?? '{}')
const request = Buffer.from(order.head)
const latencies = createHistogram()
/** One for all: what is read is looked at before the next read. */
const buffer = Buffer.allocUnsafe(64 * KiB)
let over = false
let open = 0
const start = performance.now()

function openConnection(): void {
  let sentAt = 0
  let answers = 0
  const send = (): void => {
    sentAt = performance.now()
    socket.write(request)
  }
  const read = createResponseReader(() => {
    latencies.add(performance.now() - sentAt)
    answers++
    if (over) socket.destroy()
    else send()
  })
  const socket = order.tls ? openTls(send, read) : openPlain(send, read)
  socket.setNoDelay(true)
  open++
  socket.on('error', (error) => {
    if (answers === 0) throw error
  })
  socket.on('close', () => {
    open--
    // Some proxies close after each answer, keep-alive or not; then a connection is part of what a request costs.
    if (!over && answers > 0) openConnection()
    else if (!over) throw new Error('the proxy closed a connection and had not answered')
    else if (open === 0) report()
  })
}

function openPlain(onOpen: () => void, read: ReadResponses): Socket {
  const callback = (length: number): boolean => {
    read(buffer.subarray(0, length))
    return true
  }
  const { port } = order
  return connect({ port, host: '127.0.0.1', onread: { buffer, callback } }, onOpen)
}

/** One suite, so that every proxy enciphers the same. */
function openTls(onOpen: () => void, read: ReadResponses): Socket {
  const suite = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const
  const where = { port: order.port, host: '127.0.0.1', rejectUnauthorized: false }
  return connectTls({ ...where, ...suite }, onOpen).on('data', read)
}

function report(): void {
  const result: LoadResult = {
    units: latencies.count,
    seconds: (performance.now() - start) / 1000,
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

for (let count = 0; count < order.connections; count++) openConnection()
setTimeout(() => {
  over = true
  // Nobody answers a connection that waits for ever.
  setTimeout(() => process.exit(1), 5_000).unref()
}, order.seconds * 1000)
