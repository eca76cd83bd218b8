import { pathToFileURL } from 'node:url'
import { originHost } from '../candidates/candidate.ts'
import { isAllowedSource, logRequest } from './request-log.ts'

/** A forward proxy on proxy-chain. Its names are answered from memory, as in every other candidate. */

interface Order {
  /** Entry file of the library. */
  readonly module: string
  readonly port: number
}

type Answer = (error: undefined, addresses: string | readonly object[], family?: number) => void

interface Asked {
  readonly hostname: string
  readonly port: number
  readonly request: {
    readonly method: string
    readonly socket: { readonly remoteAddress?: string }
  }
}

/** As much of the library as is used. */
interface Library {
  readonly Server: new (options: object) => { listen(): Promise<void> }
  readonly RequestError: new (message: string, status: number) => Error
}

const order: Order = JSON.parse(process.argv[2] ?? '{}')
const library: Library = await import(pathToFileURL(order.module).href)
const { Server, RequestError } = library
const allowedNames = new Set([originHost])

function dnsLookup(_name: string, options: { readonly all?: boolean }, answer: Answer): void {
  const address = '127.0.0.1'
  if (options.all === true) answer(undefined, [{ address, family: 4 }])
  else answer(undefined, address, 4)
}

function prepareRequestFunction({ hostname, port, request }: Asked): object {
  const source = request.socket.remoteAddress
  const allowed = isAllowedSource(source) && allowedNames.has(hostname)
  logRequest(source ?? '-', `${request.method} ${hostname}:${port} ${allowed}`)
  if (!allowed) throw new RequestError('forbidden', 403)
  return { dnsLookup }
}

await new Server({ port: order.port, host: '127.0.0.1', prepareRequestFunction }).listen()
