import type { ClientHttp2Stream } from 'node:http2'
import { Readable } from 'node:stream'
import type { RawHeaders } from '../wire/headers.ts'
import type { BackendResponse } from './relay-response.ts'

/** The answer on a stream to a back end. */
export class Http2Response extends Readable implements BackendResponse {
  readonly statusCode: number
  readonly rawHeaders: RawHeaders
  /** It is whole with its head. */
  readonly endsWithHead: boolean
  rawTrailers: RawHeaders = []
  complete = false
  readonly #stream: ClientHttp2Stream

  constructor(stream: ClientHttp2Stream, head: { rawHeaders: RawHeaders; endsStream: boolean }) {
    super()
    this.#stream = stream
    this.statusCode = statusOf(head.rawHeaders)
    this.rawHeaders = fieldsOf(head.rawHeaders)
    this.endsWithHead = head.endsStream
    const whole = watchEnd(stream)
    stream.on('trailers', (_headers, _flags, rawTrailers) => {
      this.rawTrailers = fieldsOf(rawTrailers ?? [])
    })
    stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stream.pause()
    })
    stream.once('end', () => {
      if (!head.endsStream && !whole()) return
      this.complete = true
      this.push(null)
    })
    stream.once('close', () => {
      if (!this.complete) this.destroy()
    })
  }

  override _read(): void {
    this.#stream.resume()
  }
}

/**
 * Whether the other side ended its body. Node ends a stream for its reader when it is reset as well, with code NO_ERROR
 * even without an error; only before the stream is closed is it the other side's word.
 */
function watchEnd(stream: ClientHttp2Stream): () => boolean {
  const push = stream.push.bind(stream)
  let isEnded = false
  stream.push = (chunk, encoding) => {
    if (chunk === null && !stream.closed) isEnded = true
    return push(chunk, encoding)
  }
  return () => isEnded
}

function statusOf(rawHeaders: RawHeaders): number {
  const index = rawHeaders.indexOf(':status')
  return index === -1 ? 0 : Number(rawHeaders[index + 1])
}

/** What is no pseudo-header. */
export function fieldsOf(rawHeaders: RawHeaders): string[] {
  const fields: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!name.startsWith(':')) fields.push(name, rawHeaders[index + 1] ?? '')
  }
  return fields
}
