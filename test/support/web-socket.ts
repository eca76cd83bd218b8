import type { Duplex } from 'node:stream'

/** As much of WebSocket (RFC 6455) as a test of a proxy needs: an upgrade by hand and small text frames. */

export function upgradeRequest(host: string, more = ''): string {
  return (
    `GET /socket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`
  )
}

/** What a server answers to that key. */
export const switching =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'

/** A text frame from a client, masked with zeros; up to 125 bytes. */
export function clientFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
}

/** A text frame from a server. */
export function serverFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)])
}

/** Answers the upgrade and sends every (small, whole) frame back. */
export function echoFrames(socket: Duplex, head: Buffer): void {
  socket.write(switching)
  const echo = (bytes: Buffer): void => {
    for (let at = 0; at + 6 <= bytes.length;) {
      const length = (bytes[at + 1] ?? 0) & 0x7f
      socket.write(serverFrame(bytes.subarray(at + 6, at + 6 + length).toString()))
      at += 6 + length
    }
  }
  if (head.length > 0) echo(head)
  socket.on('data', echo)
  socket.on('end', () => socket.end())
}
