import type { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { readAlternativeNames } from '../wire/subject-alternative-names.ts'
import type { CancelSignal } from './cancellation.ts'

export interface SecureClientOptions {
  /** PEM: what the server's certificate is verified against, and nothing else. */
  readonly ca: string
  /** PEM: what we show. */
  readonly cert: string
  readonly key: string
  /** Must be one of the alternative names of the server's certificate, as Node writes it. */
  readonly name: string
  /** For the handshake. */
  readonly timeoutMs: number
  readonly signal: CancelSignal
}

/**
 * TLS over a connected socket, both sides proven. Undefined, and the socket is destroyed, where the handshake fails, takes too
 * long, or the server is not who it has to be: nothing was said to it then. Never rejects; has a silent error handler.
 */
export function secureClient(
  socket: Socket,
  options: SecureClientOptions,
): Promise<TLSSocket | undefined> {
  const { ca, cert, key, name, timeoutMs, signal } = options
  const { promise, resolve } = Promise.withResolvers<TLSSocket | undefined>()
  let stream: TLSSocket
  try {
    stream = connect({
      socket,
      ca,
      cert,
      key,
      rejectUnauthorized: true,
      // Verified by the one name that settings say, below.
      checkServerIdentity: () => undefined,
    })
  } catch {
    // OpenSSL does not take the pair.
    socket.destroy()
    return Promise.resolve(undefined)
  }
  const fail = (): void => {
    stream.destroy()
    socket.destroy()
    settle(undefined)
  }
  const timer = setTimeout(fail, Math.max(timeoutMs, 0))
  const settle = (secured: TLSSocket | undefined): void => {
    clearTimeout(timer)
    signal.removeEventListener('abort', fail)
    stream.off('close', fail)
    resolve(secured)
  }
  stream.on('error', fail)
  stream.once('close', fail)
  stream.once('secureConnect', () => {
    if (isNamed(stream, name)) settle(stream)
    else fail()
  })
  signal.addEventListener('abort', fail, { once: true })
  if (signal.aborted) fail()
  return promise
}

function isNamed(stream: TLSSocket, name: string): boolean {
  if (!stream.authorized) return false
  const [wanted] = readAlternativeNames(name) ?? []
  const names = readAlternativeNames(stream.getPeerX509Certificate()?.subjectAltName ?? '') ?? []
  return names.some(({ kind, value }) => kind === wanted?.kind && value === wanted.value)
}
