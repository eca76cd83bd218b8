/** ClientHellos as bytes, right in everything but what a test wants wrong. */

/** A server name extension with these names. */
export function serverNames(...names: readonly (string | Buffer)[]): Buffer {
  const entries = names.map((name) =>
    Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(name))]),
  )
  return extension(0, vector(2, Buffer.concat(entries)))
}

export function extension(type: number, content: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([number(2, type), vector(2, content)])
}

export function vector(size: number, content: Buffer): Buffer {
  return Buffer.concat([number(size, content.length), content])
}

function number(size: number, value: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntBE(value, 0, size)
  return bytes
}

export interface HelloParts {
  readonly version?: Buffer
  readonly session?: Buffer
  readonly suites?: Buffer
  readonly compressions?: Buffer
  /** Absent: no extensions at all. */
  readonly extensions?: readonly Buffer[] | undefined
  readonly behind?: Buffer
}

/** The handshake message, without a record. */
export function helloMessage(parts: HelloParts): Buffer {
  const {
    version = Buffer.from([3, 3]),
    session = Buffer.alloc(32, 7),
    suites = Buffer.from([0x13, 0x01, 0xc0, 0x2f]),
    compressions = Buffer.from([0]),
    extensions,
    behind = Buffer.alloc(0),
  } = parts
  const body = [version, Buffer.alloc(32, 9), vector(1, session), vector(2, suites)]
  body.push(vector(1, compressions))
  if (extensions !== undefined) body.push(vector(2, Buffer.concat(extensions)))
  return Buffer.concat([Buffer.from([1]), vector(3, Buffer.concat([...body, behind]))])
}

/** In records of at most `size` bytes. */
export function inRecords(message: Buffer, size = 16_384): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    records.push(record(22, message.subarray(at, at + size)))
  }
  return Buffer.concat(records)
}

export function record(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, 3, 1]), vector(2, content)])
}

/** What clients like: with the extensions that a browser would send, as far as they matter to a server that reads it. */
export function clientHello(name: string | undefined, more: readonly Buffer[] = []): Buffer {
  const names = name === undefined ? [] : [serverNames(name)]
  return inRecords(helloMessage({ extensions: [...names, ...usual, ...more] }))
}

/** ALPN, groups, signatures, versions. */
export const usual: readonly Buffer[] = [
  extension(16, vector(2, Buffer.from('\x02h2\x08http/1.1', 'latin1'))),
  extension(10, vector(2, Buffer.from([0, 29, 0, 23]))),
  extension(13, vector(2, Buffer.from([4, 3, 8, 4, 4, 1]))),
  extension(43, vector(1, Buffer.from([3, 4, 3, 3]))),
  extension(11, vector(1, Buffer.from([0]))),
]

/** Encrypted ClientHello, of the outer kind. */
export const encrypted: Buffer = extension(0xfe0d, Buffer.alloc(200, 1))
