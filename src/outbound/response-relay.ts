import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { CloseReason, FailureReason } from '../reasons.ts'
import { cut } from '../transport/cut.ts'
import { hasBindingChallenge } from '../wire/connection-sharing.ts'
import { headerValues, type RawHeaders, withoutHeaders, withoutHopByHop } from '../wire/headers.ts'
import { clientHeaders, forwardedResponseHeaders } from '../wire/response-head.ts'
import type { Answering } from './answering.ts'

/**
 * Passes an answer on to the client: fields cleaned, framing afresh, nothing repaired. An answer that breaks off cuts
 * the client off; it never ends as if it were whole.
 */

export interface RelayOptions {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly correlationId: string
  /** Added to Via. */
  readonly via: string
  /** Whether the client's connection may serve another request. */
  readonly mayKeepAlive: () => boolean
  /** Something moved. */
  readonly onProgress: (bytes: number) => void
  /** The client takes more. */
  readonly onDrain: () => void
  /** The answer is complete and handed over. */
  readonly onEnd: () => void
  /** Nothing of the answer's head has reached the client: somebody can still answer. */
  readonly onFailureBeforeHead: (reason: FailureReason) => void
  /** The client has been cut off. */
  readonly onCut: (reason: CloseReason) => void
}

/** More is no courtesy but a flood. */
const maxInterim = 32

export class ResponseRelay implements Answering {
  readonly #options: RelayOptions
  /** It asks for credentials that hold for the connection it came on. */
  bindsConnection = false
  #interims = 0

  constructor(options: RelayOptions) {
    this.#options = options
    options.response.on('drain', options.onDrain)
  }

  /** RFC 9110 15.2: passed on, but for 100, which we answer ourselves, and never to HTTP/1.0. */
  interim(status: number, headers: RawHeaders): void {
    const { request, response, onProgress } = this.#options
    onProgress(0)
    // RFC 9110 15.2: 101 answers an Upgrade, of which we send none.
    if (++this.#interims > maxInterim || status < 100 || status === 101) {
      this.failed('backend-invalid')
      return
    }
    if (status === 100 || request.httpVersion === '1.0' || response.headersSent) return
    const fields = withoutHeaders(
      forwardedResponseHeaders(status, headers) ?? [],
      (name) => name === 'x-ms-request-id',
    )
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Interim'}\r\n`
    for (let index = 0; index < fields.length; index += 2) {
      head += `${fields[index]}: ${fields[index + 1]}\r\n`
    }
    // Nobody else writes to it: one answer at a time has the socket, and this one has no head yet.
    response.socket?.write(`${head}\r\n`, 'latin1')
  }

  head(status: number, headers: RawHeaders): void {
    const { response, correlationId, mayKeepAlive, onProgress, onFailureBeforeHead } = this.#options
    onProgress(0)
    this.bindsConnection = hasBindingChallenge(headers)
    if (!mayKeepAlive()) response.shouldKeepAlive = false
    const forwarded = clientHeaders({ status, rawHeaders: headers, correlationId })
    if (forwarded === undefined) {
      onFailureBeforeHead('backend-invalid')
      return
    }
    const kept = withoutHeaders(forwarded, (name) => name === 'via')
    const via = [...headerValues(headers, 'via'), this.#options.via].join(', ')
    try {
      response.writeHead(status, [...kept, 'via', via])
    } catch {
      // A status or a field that no valid response has.
      onFailureBeforeHead('backend-invalid')
    }
  }

  data(chunk: Buffer): boolean {
    const { response, onProgress } = this.#options
    onProgress(chunk.length)
    return response.write(chunk)
  }

  end(trailers: RawHeaders): void {
    const { response, onEnd } = this.#options
    const kept = withoutHeaders(withoutHopByHop(trailers), (name) => noTrailers.has(name))
    try {
      response.addTrailers(pairs(kept))
    } catch {
      // They may be dropped (RFC 9110 6.5.1).
    }
    response.end()
    onEnd()
  }

  failed(reason: FailureReason): void {
    const { response, onFailureBeforeHead } = this.#options
    if (response.headersSent) this.cut(reason)
    else onFailureBeforeHead(reason)
  }

  /** Breaks the answer off so that no client can take it for whole. */
  cut(reason: CloseReason): void {
    const { request, response, onCut } = this.#options
    // An answer without length, to HTTP/1.0, ends with the connection: only a reset says that it is not whole.
    cut(request.socket)
    response.destroy()
    onCut(reason)
  }
}

/** Fields that must not come after the content, for they say how to read it (RFC 9110 6.5.1). */
const noTrailers: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'host',
  'set-cookie',
])

function pairs(flat: RawHeaders): [string, string][] {
  const list: [string, string][] = []
  for (let index = 0; index < flat.length; index += 2) {
    list.push([flat[index] ?? '', flat[index + 1] ?? ''])
  }
  return list
}
