import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { headerValues } from '../wire/headers.ts'
import { closeGently, type Connection } from './connection.ts'
import { clientHeaders } from '../wire/response-head.ts'

/** The head of an answer as bytes. Names and values come from a parser that lets no line break through. */
export function formatHead(status: number, headers: readonly string[]): Buffer {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  for (let index = 0; index < headers.length; index += 2) {
    head += `${headers[index]}: ${headers[index + 1]}\r\n`
  }
  return Buffer.from(`${head}\r\n`, 'latin1')
}

export interface BareRelayOptions {
  readonly backendResponse: IncomingMessage
  readonly connection: Connection
  readonly correlationId: string
  /** Bytes of the body for the client. */
  readonly onBody: (bytes: number) => void
  readonly onMoved: () => void
  readonly onComplete: () => void
  /** The back end is gone before its answer was whole: the client is to be cut off. */
  readonly onCut: () => void
}

const minStatus = 200
const bodilessStatuses: ReadonlySet<number> = new Set([204, 304])
const lastChunk = '0\r\n\r\n'

/**
 * Passes on an ordinary answer to an upgrade: Node has no response object for that. The connection ends with it. False:
 * it cannot be passed on, and nothing has been.
 */
export function relayBareResponse(options: BareRelayOptions): boolean {
  const { backendResponse, connection, correlationId } = options
  const { stream } = connection
  backendResponse.on('error', ignore)
  const status = backendResponse.statusCode ?? 0
  const headers = clientHeaders({ status, rawHeaders: backendResponse.rawHeaders, correlationId })
  if (status < minStatus || headers === undefined) return false
  const hasLength = headerValues(headers, 'content-length').length > 0
  const isChunked = !hasLength && !bodilessStatuses.has(status)
  if (isChunked) headers.push('transfer-encoding', 'chunked')
  stream.write(formatHead(status, [...headers, 'connection', 'close']))
  connection.hasUnread = true
  backendResponse.on('data', (chunk: Buffer) => {
    options.onBody(chunk.length)
    const size = Buffer.from(`${chunk.length.toString(16)}\r\n`)
    const bytes = isChunked ? Buffer.concat([size, chunk, lineEnd]) : chunk
    if (!stream.write(bytes)) backendResponse.pause()
  })
  stream.on('drain', () => {
    options.onMoved()
    backendResponse.resume()
  })
  backendResponse.once('end', () => {
    if (!backendResponse.complete) return
    if (isChunked) stream.write(lastChunk)
    options.onComplete()
    closeGently(connection)
  })
  backendResponse.once('close', () => {
    if (!backendResponse.complete) options.onCut()
  })
  return true
}

const lineEnd = Buffer.from('\r\n')

function ignore(): void {}
