import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { KiB, seconds } from '../units.ts'

/**
 * The little HTTP server under the health listener and the admin socket: a table of endpoints, answers that fit in
 * memory or come in pieces, and limits of its own so that a slow or greedy client costs it nothing.
 */

export interface Answer {
  readonly status: number
  readonly contentType: string
  /** Pieces are made and sent in batches, with everything else served in between. */
  readonly body: string | Iterable<string>
}

export interface Endpoint {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** One sentence for the list that a 404 shows. */
  readonly about: string
  readonly answer: (query: URLSearchParams) => Answer | Promise<Answer>
}

const headTimeoutMs = seconds(5)
const requestTimeoutMs = seconds(10)
const keepAliveMs = seconds(5)
/** For an answer in pieces: whoever reads so slowly is cut off. */
const streamTimeoutMs = seconds(60)
/** A third of a millisecond to make, with rules for pieces. */
const batchLength = 16 * KiB
const maxHeaderBytes = 8 * KiB
const maxHeaders = 50
/** Probes and scrapers hold a handful; more is somebody trying. */
const maxConnections = 128

/** Creates the server; the caller listens and closes. `onFault` hears what an endpoint throws. */
export function createEndpointServer(
  endpoints: readonly Endpoint[],
  onFault: (error: unknown) => void,
): Server {
  const server = createServer(
    {
      headersTimeout: headTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveMs,
      maxHeaderSize: maxHeaderBytes,
      connectionsCheckingInterval: seconds(1),
    },
    (request, response) => {
      // Both are emitters of the same socket's errors: a peer that resets must not end the process.
      request.on('error', () => response.destroy())
      response.on('error', () => response.destroy())
      request.resume()
      void respond(endpoints, { request, response, onFault })
    },
  )
  server.maxHeadersCount = maxHeaders
  server.maxConnections = maxConnections
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
    else socket.destroy()
  })
  // Without a listener Node answers an upgrade as a request, which is right; CONNECT it would drop unanswered.
  server.on('connect', (_request, socket) => {
    socket.on('error', () => socket.destroy())
    socket.end('HTTP/1.1 405 Method Not Allowed\r\nallow: GET\r\nconnection: close\r\n\r\n')
  })
  return server
}

export const jsonType = 'application/json; charset=utf-8'

export function json(status: number, value: unknown): Answer {
  return {
    status,
    contentType: jsonType,
    body: `${JSON.stringify(value, undefined, 2)}\n`,
  }
}

async function respond(
  endpoints: readonly Endpoint[],
  exchange: {
    readonly request: IncomingMessage
    readonly response: ServerResponse
    readonly onFault: (error: unknown) => void
  },
): Promise<void> {
  const { request, response } = exchange
  const [path = '', queryText = ''] = (request.url ?? '').split('?', 2)
  const atPath = endpoints.filter((endpoint) => endpoint.path === path)
  const asked = request.method === 'HEAD' ? 'GET' : request.method
  const endpoint = atPath.find((candidate) => candidate.method === asked)
  let answer: Answer
  let allow: string | undefined
  try {
    if (endpoint !== undefined) answer = await endpoint.answer(new URLSearchParams(queryText))
    else if (atPath.length > 0 || !endpoints.some(({ method }) => method === asked)) {
      allow = allowedMethods(atPath.length > 0 ? atPath : endpoints)
      answer = json(405, { error: `only ${allow} can be answered here` })
    } else answer = notFound(endpoints)
  } catch (error) {
    exchange.onFault(error)
    answer = json(500, { error: 'this endpoint failed, the operational log says why' })
  }
  if (response.destroyed) return
  const whole = typeof answer.body === 'string' ? Buffer.from(answer.body) : undefined
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    ...(whole === undefined ? {} : { 'content-length': whole.length }),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(allow === undefined ? {} : { allow }),
  })
  if (request.method === 'HEAD') response.end()
  else if (typeof answer.body === 'string') response.end(whole)
  else await sendPieces(answer.body, exchange)
}

/** What is wrong from here on can only be told by cutting the answer off. */
async function sendPieces(
  pieces: Iterable<string>,
  { response, onFault }: { response: ServerResponse; onFault: (error: unknown) => void },
): Promise<void> {
  try {
    const signal = AbortSignal.timeout(streamTimeoutMs)
    await pipeline(Readable.from(batch(pieces, onFault), { highWaterMark: 1 }), response, {
      signal,
    })
  } catch {
    // The client left or was too slow, or it was told already.
    response.destroy()
  }
}

async function* batch(
  pieces: Iterable<string>,
  onFault: (error: unknown) => void,
): AsyncGenerator<string> {
  let text = ''
  try {
    for (const piece of pieces) {
      text += piece
      if (text.length < batchLength) continue
      yield text
      text = ''
      await setImmediate()
    }
  } catch (error) {
    onFault(error)
    throw error
  }
  yield text
}

function allowedMethods(endpoints: readonly Endpoint[]): string {
  const methods = new Set(endpoints.map(({ method }) => method))
  return [...methods].map((method) => (method === 'GET' ? 'GET, HEAD' : method)).join(', ')
}

function notFound(endpoints: readonly Endpoint[]): Answer {
  return json(404, {
    error: 'there is no such endpoint',
    endpoints: endpoints.map(({ method, path, about }) => `${method} ${path}: ${about}`),
  })
}
