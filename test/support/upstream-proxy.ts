import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { once } from 'node:events'

/** An HTTP proxy that knows CONNECT and nothing else. Whatever the name, the tunnel leads to this machine. */
export interface UpstreamProxyServer {
  readonly url: string
  readonly port: number
  /** Heads that it was sent, in order. */
  readonly heads: readonly string[]
  /** What it says from now on instead of making a tunnel; undefined: it makes one. */
  answer: string | ((socket: Socket) => void) | undefined
  close(): Promise<void>
}

export async function startUpstreamProxy(tls?: {
  readonly key: string
  readonly cert: string
}): Promise<UpstreamProxyServer> {
  const heads: string[] = []
  const open = new Set<Socket>()
  const own = (socket: Socket): void => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
  }
  const accept = (socket: Socket): void => {
    own(socket)
    let head = ''
    const read = (chunk: Buffer): void => {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      socket.off('data', read)
      heads.push(head)
      if (typeof server.answer === 'function') server.answer(socket)
      else if (server.answer !== undefined) socket.write(server.answer, 'latin1')
      else join(socket, Number(/^CONNECT \S+:([0-9]+) /.exec(head)?.[1]))
    }
    socket.on('data', read)
  }
  const join = (socket: Socket, port: number): void => {
    const onward = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    own(onward)
    onward.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n')
      socket.pipe(onward)
      onward.pipe(socket)
    })
    onward.once('close', () => socket.destroy())
    socket.once('close', () => onward.destroy())
  }
  const listener =
    tls === undefined
      ? createServer({ allowHalfOpen: true }, accept)
      : createTlsServer({ ...tls, allowHalfOpen: true }, accept)
  // Also what never gets through its handshake.
  listener.on('connection', own)
  listener.on('tlsClientError', () => undefined)
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  // A TCP server that listens has an AddressInfo.
  const { port } = listener.address() as AddressInfo
  const server: UpstreamProxyServer = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    heads,
    answer: undefined,
    async close() {
      const closed = once(listener, 'close')
      listener.close()
      for (const socket of open) socket.destroy()
      await closed
    },
  }
  return server
}
