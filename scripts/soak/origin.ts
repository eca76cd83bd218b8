import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { KiB } from '../../src/units.ts'

/**
 * The service behind Ringfence, in a process that can be ended and started again on its ports.
 *
 *   node origin.ts '{"http":8001,"echo":8002}'
 *
 *   GET /bytes/N    N bytes           POST /digest   SHA-256 of the body
 *   GET /slow       ten parts, over 200 ms           an upgrade: 101, and what comes goes back
 */
export interface OriginOrder {
  readonly http: number
  /** Sends back what it gets. */
  readonly echo: number
}

const order: OriginOrder = JSON.parse(process.argv[2] ?? '{}')
const part = Buffer.alloc(64 * KiB, 'x')
const slowParts = 10
const slowPauseMs = 20

const server = createServer((request, response) => {
  request.on('error', () => response.destroy())
  response.on('error', () => response.destroy())
  answer(request, response).catch(() => response.destroy())
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, what, count] = (request.url ?? '').split('/')
  if (what === 'digest') {
    const hash = createHash('sha256')
    for await (const bytes of request) hash.update(bytes)
    response.end(hash.digest('hex'))
  } else if (what === 'slow') {
    for (let sent = 0; sent < slowParts; sent++) {
      response.write('slow ')
      await delay(slowPauseMs)
    }
    response.end()
  } else {
    const length = Number(count)
    response.setHeader('content-length', length)
    sendBytes(response, length)
  }
}

/** As fast as it is read, and no faster. */
function sendBytes(response: ServerResponse, length: number): void {
  let left = length
  const fill = (): void => {
    while (left > 0) {
      const bytes = part.subarray(0, left)
      left -= bytes.length
      if (!response.write(bytes)) return
    }
    response.end()
  }
  response.on('drain', fill)
  fill()
}

server.on('upgrade', (_request, socket: Socket, head: Buffer) => {
  socket.on('error', () => socket.destroy())
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  if (head.length > 0) socket.write(head)
  socket.pipe(socket)
})
server.listen({ port: order.http, host: '127.0.0.1', backlog: 1024 })

createTcpServer((socket) => {
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
}).listen({ port: order.echo, host: '127.0.0.1', backlog: 1024 })
