import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { acceptWebSocket } from './web-socket.ts'

/**
 * A mock service in a process of its own: blob storage, a vault, a search service or some host on the internet. It tells
 * its parent its ports, answers everything with what it was asked, and ends with its parent.
 *
 *   node back-end.ts NAME [CERTIFICATE KEY]
 */

/** First message to the parent. */
export interface Listening {
  readonly port: number
  /** Undefined without a certificate. */
  readonly tlsPort: number | undefined
}

/** Answer to the parent's `count`. */
export interface Received {
  readonly requests: number
}

/** What a service answers: itself, and what reached it, header by header. */
export interface Echo {
  readonly service: string
  readonly method: string
  readonly path: string
  /** Names and values in turn, as they arrived. */
  readonly headers: readonly string[]
  readonly bodyBytes: number
}

let requests = 0

function startBackEnd(service: string, files: readonly string[]): void {
  const [certificate, key] = files
  const plain = createServer(answer)
  plain.on('upgrade', upgrade)
  const servers: Server[] = [plain]
  if (certificate !== undefined && key !== undefined) {
    const tls = createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer)
    servers.push(tls)
  }
  let waiting = servers.length
  for (const server of servers) {
    server.listen(0, '127.0.0.1', () => {
      waiting -= 1
      if (waiting === 0) tellParent(listening(servers))
    })
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    requests += 1
    let bodyBytes = 0
    request.on('data', (chunk: Buffer) => {
      bodyBytes += chunk.length
    })
    request.on('end', () => {
      const echo: Echo = {
        service,
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.rawHeaders,
        bodyBytes,
      }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(`${JSON.stringify(echo)}\n`)
    })
    request.on('error', () => response.destroy())
  }

  function upgrade(request: IncomingMessage, socket: Duplex): void {
    requests += 1
    acceptWebSocket(request, socket)
  }
}

function listening(servers: readonly Server[]): Listening {
  const [port, tlsPort] = servers.map((server) => portOf(server.address()))
  return { port: port ?? 0, tlsPort }
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0
}

function tellParent(message: Listening | Received): void {
  process.send?.(message)
}

if (import.meta.main) {
  const [service = 'service', ...files] = process.argv.slice(2)
  process.on('message', () => tellParent({ requests }))
  // The parent is gone, however it ended.
  process.on('disconnect', () => process.exit(0))
  // Ctrl-C reaches the whole group; the parent decides when its children end.
  process.on('SIGINT', () => undefined)
  startBackEnd(service, files)
}
