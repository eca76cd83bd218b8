import { connect, type Socket } from 'node:net'

export interface TunnelTarget {
  readonly port: number
  /** What CONNECT names; undefined where the proxy forwards the port as it is. */
  readonly authority: string | undefined
}

const headEnd = '\r\n\r\n'

/** Connects, asks for a tunnel, and hands over what comes after the proxy's 200. Throws on any other answer. */
export function openTunnel(
  { port, authority }: TunnelTarget,
  on: {
    readonly open: (socket: Socket) => void
    readonly bytes: (length: number, socket: Socket) => void
    /** Given where to read to, and then without a copy. */
    readonly buffer?: Buffer
  },
): Socket {
  let head = authority === undefined ? undefined : ''
  const read = (bytes: Buffer): boolean => {
    if (head === undefined) {
      on.bytes(bytes.length, socket)
      return true
    }
    head += bytes.toString('latin1')
    const end = head.indexOf(headEnd)
    if (end === -1) return true
    if (!/^HTTP\/1\.\d 200/.test(head)) throw new Error(`the proxy answered ${head}`)
    const rest = head.length - end - headEnd.length
    head = undefined
    on.open(socket)
    if (rest > 0) on.bytes(rest, socket)
    return true
  }
  const begin = (): void => {
    if (authority === undefined) on.open(socket)
    else socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  }
  const { buffer } = on
  const onread =
    buffer === undefined
      ? undefined
      : { buffer, callback: (length: number) => read(buffer.subarray(0, length)) }
  const where = { port, host: '127.0.0.1', noDelay: true }
  const socket = onread === undefined ? connect(where, begin) : connect({ ...where, onread }, begin)
  if (onread === undefined) socket.on('data', read)
  return socket
}
