import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** As much of WebSocket (RFC 6455) as an echo of short texts needs. No fragments, no text beyond 125 bytes. */

/** RFC 6455 1.3. */
const keySuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const finalText = 0x81
const maskBit = 0x80
const maskBytes = 4
const headerBytes = 2
const maxShortText = 125

/** Answers the handshake and echoes each text, unmasked. Owns the socket. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy())
  const accept = acceptKey(request.headers['sec-websocket-key'] ?? '')
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\n' +
      'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  let waiting: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk])
    for (;;) {
      const frame = readFrame(waiting)
      if (frame === undefined) return
      waiting = waiting.subarray(frame.length)
      socket.write(writeFrame(frame.text))
    }
  })
  socket.on('end', () => socket.end())
}

/** The server's proof that it understood the handshake. */
export function acceptKey(key: string): string {
  return createHash('sha1').update(`${key}${keySuffix}`).digest('base64')
}

/** A text frame; a client's is masked. */
export function writeFrame(text: string, masked = false): Buffer {
  const payload = Buffer.from(text)
  if (payload.length > maxShortText) throw new RangeError('the text is too long for a short frame')
  if (!masked) return Buffer.concat([Buffer.from([finalText, payload.length]), payload])
  const mask = randomBytes(maskBytes)
  const header = Buffer.from([finalText, maskBit | payload.length])
  return Buffer.concat([header, mask, applyMask(payload, mask)])
}

/** The first frame in the bytes and its length in them; undefined while it is not complete. */
export function readFrame(bytes: Buffer): { text: string; length: number } | undefined {
  const second = bytes[1]
  if (second === undefined) return undefined
  const masked = (second & maskBit) !== 0
  const payloadBytes = second & ~maskBit
  const start = headerBytes + (masked ? maskBytes : 0)
  const length = start + payloadBytes
  if (bytes.length < length) return undefined
  const payload = bytes.subarray(start, length)
  const plain = masked ? applyMask(payload, bytes.subarray(headerBytes, start)) : payload
  return { text: plain.toString(), length }
}

function applyMask(payload: Buffer, mask: Buffer): Buffer {
  return Buffer.from(payload.map((byte, index) => byte ^ (mask[index % maskBytes] ?? 0)))
}
