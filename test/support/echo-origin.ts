import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'

/** Back ends that may run in another network namespace: HTTP with WebSocket on the first port, an echo on the second. */

const [httpPort = '0', echoPort = '0'] = process.argv.slice(2)
const http = createHttpServer((_, response) => response.end('ok'))
http.on('upgrade', (_, socket) => {
  socket.on('error', () => {})
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  socket.pipe(socket)
})
http.listen(Number(httpPort), '127.0.0.1')
const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket))
echo.listen(Number(echoPort), '127.0.0.1', () => process.stderr.write('ready in 0 ms\n'))
