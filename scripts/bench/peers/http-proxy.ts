import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { backendHost } from '../candidates/candidate.ts'
import { isAllowedSource, logRequest } from './request-log.ts'

/** A reverse proxy on http-proxy or http-proxy-3, which have the same interface. */

interface Order {
  /** Entry file of the library. */
  readonly module: string
  readonly port: number
  readonly target: number
}

/** As much of the library as is used. */
interface Library {
  createProxyServer(options: object): {
    web(request: IncomingMessage, response: ServerResponse): void
    on(event: 'error', listener: (error: Error, request: IncomingMessage) => void): void
  }
}

const order: Order = JSON.parse(process.argv[2] ?? '{}')
const library: Library = createRequire(import.meta.url)(order.module)
const proxy = library.createProxyServer({
  target: `http://127.0.0.1:${order.target}`,
  agent: new Agent({ keepAlive: true }),
})
proxy.on('error', (_error, request) => request.destroy())
createServer((request, response) => {
  const source = request.socket.remoteAddress
  const allowed = isAllowedSource(source) && request.headers.host === backendHost
  logRequest(source ?? '-', `${request.method} ${request.url} ${allowed}`)
  if (allowed) proxy.web(request, response)
  else response.writeHead(403).end()
}).listen(order.port, '127.0.0.1')
