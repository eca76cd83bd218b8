import type { Socket } from 'node:net'
import { type ProxyHeader, readProxyHeader } from '../wire/proxy-protocol.ts'

/** Why no header could be taken. `silent`: not a byte came. */
export type ProxyHeaderFailure = 'silent' | 'malformed' | 'cut-off' | 'too-slow'

export interface TakeProxyHeaderOptions {
  /** For all of it, from now on. */
  readonly timeoutMs: number
  /** The socket is the caller's again, flowing no more than a new one, with everything behind the header still to read. */
  readonly onHeader: (header: ProxyHeader) => void
  /** The socket is destroyed. Called once, and never after `onHeader`. */
  readonly onFailure: (failure: ProxyHeaderFailure) => void
}

/**
 * Takes the PROXY header off a socket that was just accepted and has an error handler. Nothing is read meanwhile beyond
 * what the socket reads ahead anyway, and nothing of that is lost.
 */
export function takeProxyHeader(socket: Socket, options: TakeProxyHeaderOptions): void {
  let received = Buffer.alloc(0)
  let isOver = false

  const finish = (): boolean => {
    if (isOver) return false
    isOver = true
    clearTimeout(timer)
    socket.off('readable', onReadable)
    socket.off('end', onEnd)
    socket.off('close', onEnd)
    return true
  }
  const fail = (failure: ProxyHeaderFailure): void => {
    if (!finish()) return
    socket.destroy()
    options.onFailure(received.length === 0 ? 'silent' : failure)
  }
  const onEnd = (): void => fail('cut-off')
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) return
    received = Buffer.concat([received, chunk])
    const found = readProxyHeader(received)
    if (found === 'malformed') fail('malformed')
    if (typeof found === 'string' || !finish()) return
    if (found.length < received.length) socket.unshift(received.subarray(found.length))
    // A stream forgets that somebody listened to `readable` in the next tick only.
    process.nextTick(() => {
      if (socket.destroyed || socket.readableEnded) socket.destroy()
      else options.onHeader(found.header)
    })
  }
  const timer = setTimeout(() => fail('too-slow'), options.timeoutMs)
  socket.on('readable', onReadable)
  socket.on('end', onEnd)
  socket.on('close', onEnd)
}
