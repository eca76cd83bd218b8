import { once } from 'node:events'
import { connect as connectTls, type TLSSocket } from 'node:tls'

/** A client of HTTP/2 that sends exactly the frames it is told to (RFC 9113 4.1), over TLS. */
export interface FrameClient {
  readonly socket: TLSSocket
  send(...frames: readonly Buffer[]): void
  /** Takes the next frame for which this holds, SETTINGS and WINDOW_UPDATE included; undefined: it is over before that. */
  frame(holds: (frame: Frame) => boolean): Promise<Frame | undefined>
  /** Frames that have arrived so far, those taken included. */
  readonly frames: readonly Frame[]
  /** Resolves once the other side has closed. */
  closed(): Promise<void>
  destroy(): void
}

export interface Frame {
  readonly type: FrameType
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

const frameTypes = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
] as const

export type FrameType = (typeof frameTypes)[number]

export const endStream = 0x1
export const endHeaders = 0x4

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** Connects, agrees on HTTP/2 and sends preface and SETTINGS. */
export async function connectFrames(options: {
  readonly port: number
  readonly ca: string
  readonly servername: string
  /** Payload of our SETTINGS; default empty. */
  readonly settings?: Buffer
}): Promise<FrameClient> {
  const { port, ca, servername, settings } = options
  const socket = connectTls({ port, host: '127.0.0.1', ca, servername, ALPNProtocols: ['h2'] })
  const frames: Frame[] = []
  let taken = 0
  let pending = Buffer.alloc(0)
  let isOver = false
  let wake: (() => void)[] = []
  const changed = (): void => {
    const waiting = wake
    wake = []
    for (const resume of waiting) resume()
  }
  socket.on('error', () => {})
  socket.on('close', () => {
    isOver = true
    changed()
  })
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (;;) {
      if (pending.length < 9) break
      const length = pending.readUIntBE(0, 3)
      if (pending.length < 9 + length) break
      frames.push({
        type: frameTypes[pending[3] ?? 0] ?? 'DATA',
        flags: pending[4] ?? 0,
        stream: pending.readUInt32BE(5),
        // A copy, and none out of Node's pool: what is kept must keep nothing else.
        payload: unpooledCopy(pending.subarray(9, 9 + length)),
      })
      pending = pending.subarray(9 + length)
    }
    changed()
  })
  await once(socket, 'secureConnect')
  const send = (...parts: readonly Buffer[]): void => void socket.write(Buffer.concat(parts))
  send(preface, frameOf('SETTINGS', { payload: settings ?? Buffer.alloc(0) }))
  return {
    socket,
    frames,
    send,
    async frame(holds) {
      for (;;) {
        while (taken < frames.length) {
          const frame = frames[taken++]
          if (frame !== undefined && holds(frame)) return frame
        }
        if (isOver) return undefined
        await new Promise<void>((resolve) => wake.push(resolve))
      }
    },
    async closed() {
      while (!isOver) await new Promise<void>((resolve) => wake.push(resolve))
    },
    destroy: () => void socket.destroy(),
  }
}

function unpooledCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

export function frameOf(
  type: FrameType,
  parts: { readonly flags?: number; readonly stream?: number; readonly payload?: Buffer } = {},
): Buffer {
  const { flags = 0, stream = 0, payload = Buffer.alloc(0) } = parts
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = frameTypes.indexOf(type)
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

export type FieldList = readonly (readonly [name: string, value: string])[]

/** A head in one frame, each field literally and without indexing (RFC 7541 6.2.2). */
export function headersFrame(
  stream: number,
  fields: FieldList,
  flags = endStream | endHeaders,
): Buffer {
  return frameOf('HEADERS', { stream, flags, payload: fieldBlock(fields) })
}

export function fieldBlock(fields: FieldList): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]),
  )
}

export function dataFrame(stream: number, text: string, flags = 0): Buffer {
  return frameOf('DATA', { stream, flags, payload: Buffer.from(text, 'latin1') })
}

export function resetFrame(stream: number, code: number): Buffer {
  return frameOf('RST_STREAM', { stream, payload: uint32(code) })
}

/** Error code of a RST_STREAM or GOAWAY. */
export function codeOf(frame: Frame | undefined): number | undefined {
  if (frame === undefined) return undefined
  return frame.payload.readUInt32BE(frame.type === 'GOAWAY' ? 4 : 0)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** One entry of SETTINGS (RFC 9113 6.5.1). */
export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), uint32(value)])
}

/** The pseudo-headers of a request, and more fields. */
export function requestFields(
  path: string,
  more: FieldList = [],
  method = 'GET',
): [name: string, value: string][] {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':path', path],
    [':authority', 'orders.test'],
    ...more.map(([name, value]): [string, string] => [name, value]),
  ]
}

/** A string without Huffman coding (RFC 7541 5.2). */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  return Buffer.concat([integer(bytes.length), bytes])
}

/** An integer with a prefix of seven bits (RFC 7541 5.1). */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value])
  const bytes = [127]
  let rest = value - 127
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}
