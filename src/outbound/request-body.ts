import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/**
 * The content of a client's request as a stream of its own. Whoever carries it may destroy it: the request, and with it
 * the connection on which the client still waits for an answer, is only read no further.
 */
export function readBody(request: IncomingMessage, onBytes: (count: number) => void): Readable {
  const body = new Readable({
    read() {
      request.resume()
    },
    destroy(error, done) {
      request.off('data', onData)
      request.pause()
      done(error)
    },
  })
  function onData(chunk: Buffer): void {
    onBytes(chunk.length)
    if (!body.push(chunk)) request.pause()
  }
  request.on('data', onData)
  request.pause()
  request.once('end', () => {
    if (!body.destroyed) body.push(null)
  })
  request.once('close', () => {
    // Cut short: whoever carries it must not take what it has for the whole.
    if (!request.complete) body.destroy()
  })
  body.on('error', ignore)
  return body
}

function ignore(): void {
  // Told to whoever carries it.
}
