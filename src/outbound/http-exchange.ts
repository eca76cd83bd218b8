import { type ClientRequest, type IncomingMessage, request as sendHttp } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FailureReason } from '../reasons.ts'
import type { Answering, Outgoing, Sent } from './answering.ts'

/**
 * One request over one stream that leads to its destination already: into the inbound side of this instance, or an
 * upgrade, after which the stream is a tunnel. `node:http` is given the stream and never an address.
 */

export interface HttpExchangeOptions {
  readonly headerBytes: number
  /**
   * Called on a 101 that was asked for, instead of `head` and `end`; the stream is the caller's from then on. Absent:
   * the request asks for no upgrade, and a 101 is invalid.
   */
  readonly upgraded?: (response: IncomingMessage, head: Buffer) => void
}

/** Takes over the stream. Never throws: what is wrong comes as `failed`. */
export function sendOver(
  stream: Duplex,
  outgoing: Outgoing,
  options: HttpExchangeOptions & { readonly answering: Answering },
): Sent {
  const { answering, upgraded } = options
  let done = false
  let message: IncomingMessage | undefined
  let request: ClientRequest | undefined

  function fail(reason: FailureReason): void {
    if (done) return
    done = true
    answering.failed(reason)
    stream.destroy()
  }

  // First, before the parser hears of it: it takes the end of the stream, whatever ended it, for the end of a body that
  // is delimited by it.
  stream.prependListener('error', () => fail('backend-reset'))
  stream.prependListener('close', () => {
    if (!stream.readableEnded) fail('backend-reset')
  })
  if (stream.destroyed) {
    process.nextTick(fail, 'backend-reset')
    return { resume: ignore, abort: ignore }
  }

  try {
    request = sendHttp({
      createConnection: () => stream,
      method: outgoing.method,
      path: outgoing.path,
      headers: framed(outgoing),
      setHost: false,
      setDefaultHeaders: false,
      maxHeaderSize: options.headerBytes,
    })
  } catch {
    process.nextTick(fail, 'backend-invalid')
    return { resume: ignore, abort: () => stream.destroy() }
  }

  request.on('error', (error: NodeJS.ErrnoException) => {
    fail(error.code?.startsWith('HPE_') === true ? 'backend-invalid' : 'backend-reset')
  })
  request.on('information', ({ statusCode, rawHeaders }) => {
    if (!done) answering.interim(statusCode, rawHeaders)
  })
  request.on('upgrade', (response, socket, head) => {
    if (upgraded === undefined || done) {
      fail('backend-invalid')
      socket.destroy()
      return
    }
    done = true
    upgraded(response, head)
  })
  request.on('response', (response) => {
    message = response
    if (done) return
    answering.head(response.statusCode ?? 0, response.rawHeaders)
    response.on('data', (chunk: Buffer) => {
      if (!done && !answering.data(chunk)) response.pause()
    })
    response.on('end', () => {
      if (done || !response.complete) return
      done = true
      answering.end(response.rawTrailers)
    })
    response.on('error', () => fail('backend-reset'))
    response.on('close', () => fail('backend-reset'))
  })
  if (outgoing.body === undefined) request.end()
  else outgoing.body.pipe(request)

  return {
    resume: () => message?.resume(),
    abort() {
      done = true
      request.destroy()
      stream.destroy()
    },
  }
}

/** Unlike undici, node:http adds no framing of its own to a list of fields. */
function framed({ headers, body }: Outgoing): string[] {
  const hasLength = headers.some((part, index) => {
    return index % 2 === 0 && part.toLowerCase() === 'content-length'
  })
  const framing = body !== undefined && !hasLength ? ['transfer-encoding', 'chunked'] : []
  const hasConnection = headers.some((part, index) => {
    return index % 2 === 0 && part.toLowerCase() === 'connection'
  })
  return [...headers, ...framing, ...(hasConnection ? [] : ['connection', 'close'])]
}

function ignore(): void {
  // There is nothing to resume or to abort.
}
