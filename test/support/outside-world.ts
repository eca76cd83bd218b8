import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTcpServer } from 'node:net'

/**
 * What lies beyond the cable, as a program: `outside-world.ts KEY CERTIFICATE`. It answers whoever comes, on every address,
 * and says a line for each.
 */

const [, , keyFile = '', certificateFile = ''] = process.argv

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const ready: Promise<void>[] = []

const tls = createHttpsServer(
  { key: readFileSync(keyFile), cert: readFileSync(certificateFile) },
  (request, response) => {
    say(`https ${request.headers.host}`)
    response.end('outside')
  },
)
const http = createHttpServer((request, response) => {
  say(`http ${request.headers.host}`)
  response.end('outside')
})
const raw = createTcpServer((socket) => {
  say('tcp')
  socket.on('error', () => {})
  socket.end('outside')
})
for (const [server, port] of [
  [tls, 443],
  [http, 80],
  [raw, 22],
] as const) {
  ready.push(new Promise((resolve) => server.listen(port, '::', resolve)))
}
for (const port of [53, 443]) {
  const socket = createSocket('udp6')
  socket.on('message', (_, from) => {
    say(`udp ${port}`)
    socket.send('outside', from.port, from.address)
  })
  ready.push(new Promise((resolve) => socket.bind(port, '::', resolve)))
}
await Promise.all(ready)
say('ready')
