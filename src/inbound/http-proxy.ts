import assert from 'node:assert/strict'
import {
  ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import { Stream } from 'node:stream'
import type { ProxyServer } from 'http-proxy'
import type { FailureReason } from '../reasons.ts'
import { failureReason } from '../transport/backend-failure.ts'
import type { Backends, BackendTarget } from './backends.ts'

/**
 * The one file that knows http-proxy. It makes the request to the back end and ties its life to the client's; what is
 * sent and what becomes of the answer is ours:
 *
 * - headers are built before, `request.headers` is replaced whole, and no event of the library decides anything;
 * - the pass that reframes DELETE and OPTIONS is taken out: with a chunked body it would let a second request through;
 * - the path is set on the request itself: the library's own joining drops an empty query;
 * - the body is written here, by way of its `buffer` option, so that it is counted and held back;
 * - the answer is handed over unread (`selfHandleResponse`): a back end's oddities must never throw inside the library.
 */
export interface BackendCallOptions {
  readonly request: IncomingMessage
  /** Only its closing is watched here. */
  readonly response: ServerResponse
  readonly target: BackendTarget
  readonly headers: OutgoingHttpHeaders
  readonly hasBody: boolean
  /** Without a byte in either direction: the last resort behind the caller's own deadline. */
  readonly timeoutMs: number
  /** Bytes of the body that came from the client. */
  readonly onBody: (bytes: number) => void
  /** Once at most, and then no `onFailure` any more. */
  readonly onResponse: (backendResponse: IncomingMessage) => void
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

/** A second attempt does no harm (RFC 9110 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
])

/** Loads the library, which takes its time (100 ms), and makes the one proxy. */
export async function loadCallBackend(backends: Backends): Promise<CallBackend> {
  // A variable of the environment that would send everything through another path of the library.
  delete process.env['FORCE_FETCH_PATH']
  const httpProxy = await import('http-proxy')
  const proxy = new httpProxy.ProxyServer({})
  removeDeleteLength(proxy)
  return (options) => callBackend(options, { proxy, backends })
}

function callBackend(
  options: BackendCallOptions,
  { proxy, backends }: { proxy: ProxyServer; backends: Backends },
): BackendCall {
  const { request, response, target } = options
  let current: ClientRequest | undefined
  let answer: IncomingMessage | undefined
  let isDone = false
  let isHeldBack = false

  function attempt(isFirst: boolean): void {
    const body = new BodySource((backendRequest) => {
      current = backendRequest
      backendRequest.path = request.url ?? '/'
      backendRequest.once('response', (backendResponse: IncomingMessage) => {
        if (isDone) return
        isDone = true
        answer = backendResponse
        options.onResponse(backendResponse)
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
    proxy.web(
      request,
      response,
      {
        target: { protocol: `${scheme}:`, host, hostname: host, port },
        agent: isFirst ? pooled : fresh,
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
    const isHarmless = !options.hasBody && idempotentMethods.has(request.method ?? '')
    return isClosed && isHarmless && current?.reusedSocket === true && !response.destroyed
  }

  function fail(reason: FailureReason): void {
    if (isDone) return
    isDone = true
    current?.destroy()
    options.onFailure(reason)
  }

  function sendBody(backendRequest: ClientRequest): void {
    backendRequest.on('drain', () => {
      isHeldBack = false
      request.resume()
    })
    request.on('data', (chunk: Buffer) => {
      options.onBody(chunk.length)
      if (backendRequest.destroyed || backendRequest.write(chunk)) return
      isHeldBack = true
      request.pause()
    })
    request.once('end', () => backendRequest.end())
  }

  // Whatever reads it from here on reads what we built. By its setter, for the same reason as above; without one nothing
  // may go on.
  assert(Reflect.set(request, 'headers', options.headers))
  attempt(true)
  if (!options.hasBody) request.resume()

  return {
    isHeldBack: () => isHeldBack,
    abort() {
      isDone = true
      answer = undefined
      current?.destroy()
    },
  }
}

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
