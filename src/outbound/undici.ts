import type { Socket } from 'node:net'
import type * as Undici from 'undici'
import { loadOnce } from '../load-once.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { seconds } from '../units.ts'
import type { Answering, Outgoing, Sent } from './answering.ts'
import type { Pooled } from './connection-pool.ts'
import { ContinueFilter, readThrough } from './unasked-continue.ts'

/**
 * The one file that knows undici: HTTP/1.1 over one socket that was vetted and dialled by us. undici is never given an
 * address, a name to look up or a second socket; a connection that is gone stays gone.
 */

/** Below what servers keep idle connections for, so that they rarely close one that we are about to use. */
const idleMs = seconds(4)

const loadUndici = loadOnce((): Promise<typeof Undici> => import('undici'))

/** Takes over the socket. undici costs 100 ms to load: on first need only. */
export async function openConnection(
  socket: Socket,
  options: { readonly headerBytes: number },
): Promise<OriginConnection> {
  socket.on('error', ignore)
  const { Client: UndiciClient } = await loadUndici().catch((error: unknown) => {
    socket.destroy()
    throw error
  })
  return new OriginConnection(socket, UndiciClient, options.headerBytes)
}

/** One of them with what it is for. */
export type OriginPooled = Pooled<OriginConnection>

/** One connection to one destination; one request at a time. */
export class OriginConnection {
  readonly #socket: Socket
  readonly #client: Undici.Client
  readonly #headerBytes: number
  /** Requests sent on it so far: the first one cannot have met a connection that idled too long. */
  #requests = 0
  #exchange: UndiciExchange | undefined
  #gone = false
  #onGone: (() => void) | undefined

  constructor(socket: Socket, UndiciClient: typeof Undici.Client, headerBytes: number) {
    this.#socket = socket
    this.#headerBytes = headerBytes
    let given = false
    // INVARIANT (only vetted sockets): the name in the URL is never looked at; undici gets this socket or none.
    this.#client = new UndiciClient('http://origin.invalid', {
      connect: (_options, callback) => {
        const isFresh = !given && !socket.destroyed
        given = true
        // Not at once: undici does not notice an answer that comes before this returns, and waits for ever.
        queueMicrotask(() => {
          if (isFresh) callback(null, socket)
          else callback(new Error('the connection is gone'), null)
        })
      },
      allowH2: false,
      pipelining: 1,
      maxHeaderSize: headerBytes,
      // Ours to watch, in both directions together.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
    })
    socket.once('close', () => this.#leave())
  }

  get isReused(): boolean {
    return this.#requests > 1
  }

  /** Whether a byte of the last request was written: if not, nobody has seen it. */
  get hasWritten(): boolean {
    return this.#exchange?.isStarted === true
  }

  /** Whether a byte came for the last request: then somebody has it, and has begun to answer. */
  get hasAnswer(): boolean {
    return this.#exchange?.hasAnswer === true
  }

  get isGone(): boolean {
    return this.#gone || this.#socket.destroyed || this.#socket.readableEnded
  }

  /** Called once, when it can carry nothing any more. */
  get onGone(): (() => void) | undefined {
    return this.#onGone
  }

  set onGone(listener: (() => void) | undefined) {
    this.#onGone = listener
  }

  /** Sends a request. Never throws: what is wrong comes as `failed`. */
  send(outgoing: Outgoing, answering: Answering): Sent {
    this.#requests++
    const exchange = new UndiciExchange(this.#socket, answering, this.#headerBytes)
    this.#exchange = exchange
    const { method, path, headers, body } = outgoing
    try {
      this.#client.dispatch({ method, path, headers: [...headers], body: body ?? null }, exchange)
    } catch (error) {
      exchange.onResponseError(undefined, asError(error))
    }
    return { resume: () => exchange.resume(), abort: () => (exchange.abandon(), this.destroy()) }
  }

  destroy(): void {
    this.#leave()
    // Its promise only says when it is done.
    this.#client.destroy().catch(ignore)
    this.#socket.destroy()
  }

  #leave(): void {
    if (this.#gone) return
    this.#gone = true
    this.#onGone?.()
  }
}

class UndiciExchange implements Undici.Dispatcher.DispatchHandler {
  readonly #answering: Answering
  readonly #socket: Socket
  readonly #onBroken: (error: Error) => void
  #controller: Undici.Dispatcher.DispatchController | undefined
  readonly #bytesBefore: number
  readonly #giveBack: () => void
  #hasHead = false
  #done = false

  constructor(socket: Socket, answering: Answering, headerBytes: number) {
    this.#socket = socket
    this.#bytesBefore = socket.bytesRead
    this.#answering = answering
    // Before undici hears of it: it takes a reset for the end of a body that is delimited by the connection's end.
    this.#onBroken = (error) => this.#break(error)
    socket.prependListener('error', this.#onBroken)
    // undici takes a 100 for the end of everything: it never asks for one.
    const onContinue = (): void => {
      if (!this.#done) answering.interim(100, [])
    }
    this.#giveBack = readThrough(socket, new ContinueFilter({ headerBytes, onContinue }))
  }

  onRequestStart(controller: Undici.Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#done) controller.abort(new Error('abandoned'))
  }

  onResponseStart(controller: Undici.Dispatcher.DispatchController, status: number): void {
    if (this.#done) return
    const headers = readRaw(controller.rawHeaders)
    if (status < 200) {
      this.#answering.interim(status, headers)
      return
    }
    this.#hasHead = true
    this.#answering.head(status, headers)
  }

  onResponseData(controller: Undici.Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#done) return
    if (!this.#answering.data(chunk)) controller.pause()
  }

  onResponseEnd(controller: Undici.Dispatcher.DispatchController): void {
    if (this.#done) return
    this.#finish()
    this.#answering.end(readRaw(controller.rawTrailers))
  }

  onResponseError(
    _controller: Undici.Dispatcher.DispatchController | undefined,
    error: Error,
  ): void {
    this.#break(error)
  }

  /** undici calls `onRequestStart` right before it writes. */
  get isStarted(): boolean {
    return this.#controller !== undefined
  }

  resume(): void {
    if (!this.#done) this.#controller?.resume()
  }

  /** Says nothing from here on. */
  abandon(): void {
    this.#finish()
  }

  get hasAnswer(): boolean {
    return this.#socket.bytesRead > this.#bytesBefore
  }

  #break(error: Error): void {
    // Where it does not like a head that came, undici says only that the socket is gone: by itself, for neither has the
    // other side ended nor the system failed.
    const isTheirEnd = this.#socket.readableEnded || 'syscall' in error
    const isNoHead = !this.#hasHead && this.hasAnswer && !isTheirEnd
    this.#fail(isNoHead || isInvalid(error) ? 'backend-invalid' : 'backend-reset')
  }

  #fail(reason: 'backend-reset' | 'backend-invalid'): void {
    if (this.#done) return
    this.#finish()
    this.#answering.failed(reason)
  }

  #finish(): void {
    this.#done = true
    this.#socket.off('error', this.#onBroken)
    this.#giveBack()
  }
}

/** What the other side said is no HTTP, as against nothing more being said. undici gives parser errors no code. */
const invalidNames: ReadonlySet<string> = new Set([
  'HTTPParserError',
  'HeadersOverflowError',
  'InvalidArgumentError',
  'AssertionError',
])

function isInvalid({ name }: Error): boolean {
  return invalidNames.has(name)
}

/** undici hands raw fields over as buffers; bytes above 127 are kept as they are (RFC 9110 5.5). */
function readRaw(raw: Undici.Dispatcher.DispatchController['rawHeaders']): RawHeaders {
  if (!Array.isArray(raw)) return []
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function ignore(): void {
  // Whoever uses the connection hears of it through its answering.
}
