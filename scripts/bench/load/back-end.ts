import { createServer } from 'node:net'

/**
 * A stand-in where nginx is not installed: answers every head with the same response. Knows no bodies of requests.
 *
 *   node back-end.ts '{"port":8000,"bodyLength":1024}'
 */
interface Order {
  readonly port: number
  readonly bodyLength: number
}

const order: Order = JSON.parse(process.argv[2] ?? '{}')
const head = `HTTP/1.1 200 OK\r\nContent-Length: ${order.bodyLength}\r\nContent-Type: text/plain\r\n\r\n`
const response = Buffer.from(head + 'x'.repeat(order.bodyLength))
const headEnd = Buffer.from('\r\n\r\n')

createServer({ noDelay: true }, (socket) => {
  let part = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes: Buffer) => {
    let rest = part.length === 0 ? bytes : Buffer.concat([part, bytes])
    for (;;) {
      const end = rest.indexOf(headEnd)
      if (end === -1) break
      rest = rest.subarray(end + headEnd.length)
      socket.write(response)
    }
    part = Buffer.from(rest)
  })
}).listen(order.port, '127.0.0.1')
