import type { IpAddress } from './address.ts'
import { type Hostname, parseHostname } from './hostname.ts'
import { readProxyHeader } from './proxy-protocol.ts'

/**
 * What one instance says to another in front of a member's stream: a PROXY header of version 2 with the client of the member,
 * and in its TLVs who sends it to whom. Nothing of it counts before a certificate has proven the sender.
 */
export interface MemberHeader {
  /** The client that the sending instance serves; undefined where it came by a Unix socket. */
  readonly address: IpAddress | undefined
  readonly port: number | undefined
  /** A name in the certificate of the sender, as Node writes it: `URI:spiffe://…`. */
  readonly sender: string
  /** The name that was decided, and its port. */
  readonly name: Hostname
  readonly targetPort: number
  readonly correlationId: string
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const fixedBytes = 16
const proxyCommand = 0x21

/** By the length of an address: family with protocol, and bytes of the addresses (2.2). */
const overIpv4 = { family: 0x11, size: 12 }
const overIpv6 = { family: 0x21, size: 36 }
const overUnix = { family: 0x31, size: 216 }

/** 2.2.1: the host name that the client asked for, an id of the connection; 0xE0 to 0xEF are for applications. */
const type = {
  authority: 0x02,
  uniqueId: 0x05,
  sender: 0xe0,
  targetPort: 0xe1,
  azure: 0xee,
} as const

/** 2.2.5 */
const maxUniqueIdBytes = 128

export function writeMemberHeader(header: MemberHeader): Buffer {
  const { address, port = 0, sender, name, targetPort, correlationId } = header
  const bytes = Buffer.from(address?.bytes ?? [])
  const { family, size } = bytes.length === 4 ? overIpv4 : bytes.length === 16 ? overIpv6 : overUnix
  const addresses = Buffer.alloc(size)
  if (address !== undefined) {
    bytes.copy(addresses)
    addresses.writeUInt16BE(port, size - 4)
    addresses.writeUInt16BE(targetPort, size - 2)
  }
  const block = Buffer.concat([
    addresses,
    tlv(type.authority, Buffer.from(name, 'latin1')),
    tlv(type.uniqueId, Buffer.from(correlationId, 'latin1')),
    tlv(type.sender, Buffer.from(sender, 'latin1')),
    tlv(type.targetPort, word(targetPort)),
  ])
  return Buffer.concat([signature, Buffer.from([proxyCommand, family]), word(block.length), block])
}

function tlv(kind: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([kind]), word(value.length), value])
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** The header and the offset behind it. Each TLV is there exactly once; what is not known is skipped. */
export function readMemberHeader(
  bytes: Buffer,
): { readonly header: MemberHeader; readonly length: number } | 'incomplete' | 'malformed' {
  const found = readProxyHeader(bytes)
  if (typeof found === 'string') return found
  const { header: proxied, length } = found
  if (proxied.kind !== 'forwarded' || bytes[0] !== signature[0]) return 'malformed'
  const size = [overIpv4, overIpv6, overUnix].find(({ family }) => family === bytes[13])?.size
  if (size === undefined) return 'malformed'
  const tlvs = readTlvs(bytes.subarray(fixedBytes + size, length))
  const name = parseHostname(tlvs?.get(type.authority)?.toString('latin1') ?? '')
  const correlationId = printable(tlvs?.get(type.uniqueId))
  const sender = printable(tlvs?.get(type.sender))
  const target = tlvs?.get(type.targetPort)
  if (tlvs === undefined || name === undefined || target?.length !== 2) return 'malformed'
  if (correlationId === undefined || correlationId.length > maxUniqueIdBytes) return 'malformed'
  if (sender === undefined || tlvs.has(type.azure)) return 'malformed'
  const { address, port } = proxied
  const targetPort = target.readUInt16BE()
  return { header: { address, port, sender, name, targetPort, correlationId }, length }
}

/** Undefined where two are of a kind, for another reader could take the other. `readProxyHeader` has seen that they fit. */
function readTlvs(bytes: Buffer): ReadonlyMap<number, Buffer> | undefined {
  const tlvs = new Map<number, Buffer>()
  for (let at = 0; at + 3 <= bytes.length;) {
    const kind = bytes.readUInt8(at)
    const end = at + 3 + bytes.readUInt16BE(at + 1)
    if (tlvs.has(kind)) return undefined
    tlvs.set(kind, bytes.subarray(at + 3, end))
    at = end
  }
  return tlvs
}

function printable(value: Buffer | undefined): string | undefined {
  const text = value?.toString('latin1')
  return text !== undefined && /^[!-~]+$/.test(text) ? text : undefined
}
