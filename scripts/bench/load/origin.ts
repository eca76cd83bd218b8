import { createServer, type Socket } from 'node:net'
import { KiB, MiB } from '../../../src/units.ts'

/**
 * What is at the end of tunnels, one behaviour a port:
 *
 *   node origin.ts '{"echo":9001,"source":9002,"sink":9003,"once":9004}'
 */
export interface OriginOrder {
  /** Sends back what it gets. */
  readonly echo: number
  /** Sends as fast as it is read, for ever. */
  readonly source: number
  /** Reads for ever. */
  readonly sink: number
  /** Sends 1 MiB, and then nothing. */
  readonly once: number
}

const order: OriginOrder = JSON.parse(process.argv[2] ?? '{}')
const chunk = Buffer.alloc(256 * KiB, 'x')
const onceBytes = 1 * MiB

serve(order.echo, (socket) => socket.on('data', (bytes) => void socket.write(bytes)))
serve(order.sink, (socket) => socket.resume())
serve(order.source, (socket) => {
  const fill = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  }
  socket.on('drain', fill).resume()
  fill()
})
serve(order.once, (socket) => {
  for (let sent = 0; sent < onceBytes; sent += chunk.length) socket.write(chunk)
  socket.resume()
})

function serve(port: number, onConnection: (socket: Socket) => void): void {
  createServer({ noDelay: true }, (socket) => {
    // Tunnels are cut when the time is over: that is no failure.
    socket.on('error', () => socket.destroy())
    onConnection(socket)
  }).listen({ port, host: '127.0.0.1', backlog: 4096 })
}
