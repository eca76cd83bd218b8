/** PROXY headers as a load balancer writes them, right or wrong in any part. */

export interface Version2Parts {
  readonly command?: number
  /** Family and protocol. */
  readonly family?: number
  readonly addresses?: Buffer
  readonly tlvs?: readonly (readonly [type: number, value: Buffer])[]
  /** Behind the TLVs. */
  readonly more?: Buffer
  /** Announced instead of the real one. */
  readonly length?: number
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** TCP over IPv4 from 192.0.2.7:50000 unless told otherwise. */
export function version2Header(parts: Version2Parts = {}): Buffer {
  const { command = 0x21, family = 0x11, more = Buffer.alloc(0), tlvs = [] } = parts
  const block = Buffer.concat([
    parts.addresses ?? ipv4Addresses('192.0.2.7', 50_000),
    ...tlvs.map(([type, value]) => Buffer.concat([Buffer.from([type]), word(value.length), value])),
    more,
  ])
  const length = word(parts.length ?? block.length)
  return Buffer.concat([signature, Buffer.from([command, family]), length, block])
}

/** Source and destination of a connection to 198.51.100.1:443. */
export function ipv4Addresses(source: string, port: number): Buffer {
  const octets = source.split('.').map(Number)
  return Buffer.concat([Buffer.from([...octets, 198, 51, 100, 1]), word(port), word(443)])
}

/** Azure Private Link's TLV. */
export function linkIdTlv(linkId: number): readonly [type: number, value: Buffer] {
  const value = Buffer.alloc(5)
  value[0] = 1
  value.writeUInt32LE(linkId, 1)
  return [0xee, value]
}

export function word(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
