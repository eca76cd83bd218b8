import type { Duplex } from 'node:stream'
import { sharedDeadlines } from '../transport/deadlines.ts'

/** Why no more is read. `gone`: nobody is there any more. */
export type Enough = 'known' | 'ended' | 'late' | 'gone'

export interface FirstBytesOptions {
  /** What came before. */
  readonly head: Buffer
  readonly timeoutMs: number
  /** Takes more of it; true: that is enough. */
  readonly take: (bytes: Buffer) => boolean
  /** Called once, never before this has returned its watch. */
  readonly done: (enough: Enough) => void
}

/**
 * Reads what a client says first. When it is done, the stream is paused, has no handlers of this, and nothing of it is
 * lost: whoever took the bytes has them.
 */
export function takeFirstBytes(client: Duplex, options: FirstBytesOptions): { stop(): void } {
  const { head, timeoutMs, take, done } = options
  let isOver = false
  const onData = (bytes: Buffer): void => {
    if (take(bytes)) finish('known')
  }
  const onEnd = (): void => finish('ended')
  const onClose = (): void => finish('gone')
  const deadline = sharedDeadlines.watch({
    idleMs: Infinity,
    lifetimeMs: timeoutMs,
    onExpire: () => finish('late'),
  })
  function stop(): void {
    isOver = true
    deadline.cancel()
    client.off('data', onData)
    client.off('end', onEnd)
    client.off('close', onClose)
    client.pause()
  }
  function finish(enough: Enough): void {
    if (isOver) return
    stop()
    done(enough)
  }
  process.nextTick(() => {
    if (isOver) return
    if (client.destroyed) finish('gone')
    else if (head.length > 0 && take(head)) finish('known')
    else if (client.readableEnded) finish('ended')
    else {
      client.on('data', onData)
      client.on('end', onEnd)
      client.on('close', onClose)
      client.resume()
    }
  })
  return { stop }
}
