import { once } from 'node:events'
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TestCertificate } from './certificates.ts'

/** A back end that speaks HTTP/2 alone. */
export interface Http2Origin {
  readonly port: number
  /** Raw fields of each stream, pseudo-headers included. */
  readonly seen: readonly (readonly string[])[]
  readonly sessions: ReadonlySet<ServerHttp2Session>
  /** Sessions that were ever opened. */
  readonly accepted: () => number
  /** Streams that are open now. */
  readonly open: () => number
  close(): Promise<void>
}

export async function startHttp2Origin(
  certificate: TestCertificate,
  handle: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  settings: { readonly maxConcurrentStreams?: number } = {},
): Promise<Http2Origin> {
  const { key, cert } = certificate
  const server = createSecureServer({ key, cert, settings })
  const seen: string[][] = []
  const sessions = new Set<ServerHttp2Session>()
  let accepted = 0
  let open = 0
  server.on('session', (session) => {
    accepted++
    sessions.add(session)
    session.on('error', () => {})
    session.once('close', () => sessions.delete(session))
  })
  server.on(
    'stream',
    (
      stream: ServerHttp2Stream,
      headers: IncomingHttpHeaders,
      _flags: number,
      rawHeaders?: string[],
    ) => {
      open++
      stream.on('error', () => {})
      stream.once('close', () => open--)
      seen.push(rawHeaders ?? [])
      handle(stream, headers)
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo
  return {
    port,
    seen,
    sessions,
    accepted: () => accepted,
    open: () => open,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const session of sessions) session.destroy()
      await closed
    },
  }
}
