import assert from 'node:assert/strict'
import { ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { type Readable, Stream } from 'node:stream'
import type { ProxyServer, ServerOptions } from 'http-proxy'
import type { FailureReason } from '../reasons.ts'
import { failureReason } from '../transport/backend-failure.ts'
import { isIdempotent } from '../wire/methods.ts'
import type { Backends, BackendTarget } from './backends.ts'
import type { CalledMessage, CalledResponse } from './client-side.ts'
import type { BackendResponse } from './relay-response.ts'
import {
  hasBindingChallenge,
  hasBindingCredentials,
  mayLeaveContent,
} from '../wire/connection-sharing.ts'
import type { RawHeaders } from '../wire/headers.ts'

/**
 * The one file that knows http-proxy. It makes the request to the back end and ties its life to the client's; what is
 * sent and what becomes of the answer is ours:
 *
 * - headers are built before, `message.headers` is replaced whole, and no event of the library decides anything;
 * - the pass that reframes DELETE and OPTIONS is taken out: with a chunked body it would let a second request through;
 * - the path is set on the request itself: the library's own joining drops an empty query;
 * - the body is written here, by way of its `buffer` option, so that it is counted and held back;
 * - the answer is handed over unread (`selfHandleResponse`): a back end's oddities must never throw inside the library.
 */
export interface BackendCallOptions {
  readonly message: CalledMessage
  readonly response: CalledResponse
  readonly body: Readable
  /** Whether the body's end was its end: a reset of an HTTP/2 stream looks like one. */
  readonly isComplete: () => boolean
  readonly target: BackendTarget
  readonly headers: OutgoingHttpHeaders
  /** As the client wrote them. */
  readonly rawHeaders: RawHeaders
  /** What goes on behind the body; asked at its end, and only where the back end is spoken to in HTTP/2. */
  readonly trailers: () => RawHeaders
  readonly hasBody: boolean
  /** Without a byte in either direction: the last resort behind the caller's own deadline. */
  readonly timeoutMs: number
  /** Bytes of the body that came from the client. */
  readonly onBody: (bytes: number) => void
  /** Fields of a 103 ahead of the answer. */
  readonly onHint: (rawHeaders: RawHeaders) => void
  /** Once at most, and then no `onFailure` any more. */
  readonly onResponse: (backendResponse: BackendResponse) => void
  /** Once at most, before there is an answer. */
  readonly onFailure: (reason: FailureReason) => void
  /** The connection broke while the answer was under way, in whatever framing. */
  readonly onCut: () => void
}

export interface BackendCall {
  /**
   * Whether the client's body waits for the back end to take more of it. A function: a getter would give each call a
   * shape of its own in the old generation, which keeps the whole request alive until everything is collected.
   */
  isHeldBack(): boolean
  /** Ends it. Nothing is called any more. */
  abort(): void
}

export type CallBackend = (options: BackendCallOptions) => BackendCall

const earlyHints = 103

/** Loads the library, which takes its time (100 ms), and makes the one proxy. */
export async function loadCallBackend(backends: Backends): Promise<CallBackend> {
  // A variable of the environment that would send everything through another path of the library.
  delete process.env['FORCE_FETCH_PATH']
  const httpProxy = await import('http-proxy')
  const proxy = new httpProxy.ProxyServer({})
  removeDeleteLength(proxy)
  const web: Web = (...parameters) => void Reflect.apply(proxy.web, proxy, parameters)
  return (options) => callBackend(options, { web, backends })
}

function callBackend(
  options: BackendCallOptions,
  { web, backends }: { web: Web; backends: Backends },
): BackendCall {
  const { message, response, target } = options
  // Nobody else may use a connection on which somebody is known, or content may be unread.
  const isShared =
    !hasBindingCredentials(options.rawHeaders) &&
    !(options.hasBody && mayLeaveContent(message.method ?? ''))
  let current: ClientRequest | undefined
  let answer: IncomingMessage | undefined
  let isDone = false
  let isHeldBack = false

  function attempt(isFirst: boolean): void {
    const body = new BodySource((backendRequest) => {
      current = backendRequest
      backendRequest.path = message.url ?? '/'
      backendRequest.once('response', (backendResponse: IncomingMessage) => {
        // Asked when the answer is whole, for whether the agent keeps the connection.
        if (hasBindingChallenge(backendResponse.rawHeaders)) backendRequest.shouldKeepAlive = false
        if (isDone) return
        isDone = true
        answer = backendResponse
        options.onResponse(backendResponse)
      })
      backendRequest.on('information', ({ statusCode, rawHeaders }) => {
        if (statusCode === earlyHints && !isDone) options.onHint(rawHeaders)
      })
      // A 101 that nobody asked for.
      backendRequest.once('upgrade', (_, socket) => {
        socket.on('error', ignore)
        socket.destroy()
        fail('backend-invalid')
      })
      if (options.hasBody) sendBody(backendRequest)
      else backendRequest.end()
    })
    const { pooled, fresh, host, port, scheme } = target
    web(
      message,
      response,
      {
        target: { protocol: `${scheme}:`, host, hostname: host, port },
        agent: isFirst && isShared ? pooled : fresh,
        buffer: body,
        secure: true,
        xfwd: false,
        toProxy: true,
        prependPath: false,
        selfHandleResponse: true,
        proxyTimeout: options.timeoutMs,
      },
      (error) => {
        // Node takes a reset for the end of an answer that only the connection delimits: it must be told apart here.
        if (answer?.complete === false) options.onCut()
        if (isDone) return
        if (isFirst && mayTryAgain(error)) attempt(false)
        else fail(failureReason(error, backends.phaseOf(current?.socket ?? null)))
      },
    )
  }

  /** The back end had given up the idle connection when the request arrived on it: nothing of it was served. */
  function mayTryAgain(error: Error): boolean {
    const isClosed = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    const isHarmless = !options.hasBody && isIdempotent(message.method ?? '')
    return isClosed && isHarmless && current?.reusedSocket === true && !response.destroyed
  }

  function fail(reason: FailureReason): void {
    if (isDone) return
    isDone = true
    current?.destroy()
    options.onFailure(reason)
  }

  function sendBody(backendRequest: ClientRequest): void {
    const { body } = options
    backendRequest.on('drain', () => {
      isHeldBack = false
      body.resume()
    })
    body.on('data', (chunk: Buffer) => {
      options.onBody(chunk.length)
      if (backendRequest.destroyed || backendRequest.write(chunk)) return
      isHeldBack = true
      body.pause()
    })
    body.once('end', () => {
      if (options.isComplete()) backendRequest.end()
    })
  }

  // Whatever reads it from here on reads what we built. By its setter, for the same reason as above; without one nothing
  // may go on.
  assert(Reflect.set(message, 'headers', options.headers))
  attempt(true)
  if (!options.hasBody) options.body.resume()

  return {
    isHeldBack: () => isHeldBack,
    abort() {
      isDone = true
      answer = undefined
      current?.destroy()
    },
  }
}

/** The library's one method, for whatever has what it reads: an HTTP/1 message, or what stands for an HTTP/2 stream. */
type Web = (
  message: CalledMessage,
  response: CalledResponse,
  options: ServerOptions,
  onError: (error: Error) => void,
) => void

/** Given to the library in place of the body: learns of the request to the back end before anything of it is sent. */
class BodySource extends Stream {
  readonly #begin: (backendRequest: ClientRequest) => void

  constructor(begin: (backendRequest: ClientRequest) => void) {
    super()
    this.#begin = begin
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    assert(destination instanceof ClientRequest)
    this.#begin(destination)
    return destination
  }
}

/** Takes out the pass that gives a DELETE or OPTIONS without length `content-length: 0` and drops its chunked framing. */
function removeDeleteLength(proxy: ProxyServer): void {
  const passes: unknown = Reflect.get(proxy, 'webPasses')
  assert(Array.isArray(passes))
  const index = passes.findIndex(
    (pass) => typeof pass === 'function' && pass.name === 'deleteLength',
  )
  // A release of the library that names it otherwise must not be used before somebody has looked at it.
  assert(index !== -1)
  passes.splice(index, 1)
}

function ignore(): void {}
