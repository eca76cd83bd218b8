import { connect, createServer, type Socket } from 'node:net'
import { listening } from './sockets.ts'

/**
 * A process that plays both peers of very many tunnels: clients of the proxy under test, and the upstream that it
 * connects to. It says how many of its ends were reset.
 */

let resets = 0
let ends = 0

const upstream = createServer({ allowHalfOpen: true }, watch)
const port = await listening(upstream)
process.send?.({ upstreamPort: port })

process.on('message', (message: { connectTo?: number; count?: number; ask?: boolean }) => {
  if (message.ask === true) process.send?.({ resets, ends })
  if (message.connectTo !== undefined) void open(message.connectTo, message.count ?? 0)
})

/** In batches, so that no backlog overflows. */
async function open(to: number, count: number): Promise<void> {
  const batch = 100
  for (let opened = 0; opened < count; opened += batch) {
    const sockets = Array.from({ length: Math.min(batch, count - opened) }, () =>
      connect({ host: '127.0.0.1', port: to, allowHalfOpen: true }),
    )
    await Promise.all(
      sockets.map((socket) => {
        watch(socket)
        return new Promise((resolve) => socket.once('connect', resolve))
      }),
    )
  }
}

function watch(socket: Socket): void {
  socket.resume()
  socket.on('error', () => resets++)
  socket.on('end', () => ends++)
}
