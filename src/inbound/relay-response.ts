import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { RawHeaders } from '../wire/headers.ts'
import { clientHeaders } from '../wire/response-head.ts'

/** A back end's answer, its body unread. */
export interface BackendResponse extends Readable {
  readonly statusCode?: number | undefined
  readonly rawHeaders: RawHeaders
  readonly rawTrailers: RawHeaders
  /** In HTTP/2: it is whole with its head. */
  readonly endsWithHead?: boolean
  /** Whether it arrived to its end. */
  readonly complete: boolean
}

export interface RelayHooks {
  readonly correlationId: string
  /** Bytes of the body for the client. */
  readonly onBody: (bytes: number) => void
  /** The client has taken what was held back. */
  readonly onMoved: () => void
  /** What the back end sent cannot be passed on; nothing has been. */
  readonly onInvalid: () => void
  /** The back end is gone before its answer was whole. */
  readonly onCut: () => void
}

export interface RelayOptions extends RelayHooks {
  readonly backendResponse: BackendResponse
  readonly response: ServerResponse
}

const minStatus = 200

/**
 * Passes a back end's answer on, with back-pressure. It ends for the client only if it ended for us: whatever the
 * framing, an answer that was cut short is never made to look whole.
 */
export function relayResponse(options: RelayOptions): void {
  const { backendResponse, response, correlationId } = options
  backendResponse.on('error', ignore)
  const status = backendResponse.statusCode ?? 0
  const headers = clientHeaders({ status, rawHeaders: backendResponse.rawHeaders, correlationId })
  if (status < minStatus || headers === undefined) {
    options.onInvalid()
    return
  }
  try {
    // With the standard phrase: the back end's own is nobody's to read, and may hold what Node does not write.
    response.writeHead(status, headers)
  } catch {
    // A status or a field that Node reads but does not write.
    options.onInvalid()
    return
  }
  // With the first of the body in one write where that is here already, else alone: whoever reads events waits for it.
  let hasBegun = false
  backendResponse.on('data', (chunk: Buffer) => {
    hasBegun = true
    options.onBody(chunk.length)
    if (!response.write(chunk)) backendResponse.pause()
  })
  // Comes behind the tick that hands over what has been parsed with the head.
  process.nextTick(() => {
    // Not by `flushHeaders`, which writes bytes beyond ASCII as UTF-8.
    if (!hasBegun && !backendResponse.complete && !response.destroyed) response.write('', 'latin1')
  })
  response.on('drain', () => {
    options.onMoved()
    backendResponse.resume()
  })
  backendResponse.once('end', () => {
    hasBegun = true
    if (backendResponse.complete) response.end()
  })
  backendResponse.once('close', () => {
    if (!backendResponse.complete) options.onCut()
  })
}

function ignore(): void {}
