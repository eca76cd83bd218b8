import { addressFromBytes, type IpAddress, parseAddress } from './address.ts'

/**
 * The header that a proxy of connections puts in front of everything it passes on, to say for whom it connects (HAProxy's
 * PROXY protocol, version 1 in 2.1 and version 2 in 2.2). Strict: what does not add up is malformed, never repaired.
 */

export type ProxyHeader = LocalHeader | ForwardedConnection

/** The proxy connects for itself, as a health check does: the peer is the source (2.2, LOCAL). */
export interface LocalHeader {
  readonly kind: 'local'
}

export interface ForwardedConnection {
  readonly kind: 'forwarded'
  /** Undefined where the header says that it is none of IP: UNKNOWN, UNSPEC or a Unix socket. */
  readonly address: IpAddress | undefined
  readonly port: number | undefined
  /** Azure Private Link's number of the private endpoint connection. */
  readonly linkId: number | undefined
}

/** The header and the offset behind it. */
export interface ReadProxyHeader {
  readonly header: ProxyHeader
  readonly length: number
}

/** 2.1: with it a receiver needs no more than this, the CRLF included. */
const maxVersion1Bytes = 107

/** Addresses take 216 bytes at most; what comes on top are TLVs, a certificate's names among them. */
const maxVersion2Bytes = 4096

const version1Signature = Buffer.from('PROXY ', 'latin1')
const version2Signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** Signature, version and command, family and protocol, length. */
const version2FixedBytes = 16

const command = { local: 0x20, proxy: 0x21 }

/** Family and protocol of a PROXY command, with the bytes of its addresses. UDP has no connections to pass on. */
const addressBytes: ReadonlyMap<number, number> = new Map([
  [0x11, 12],
  [0x21, 36],
  [0x31, 216],
])

const unspecified = 0x00
const overUnixSocket = 0x31

/** Azure Private Link: type, subtype and four bytes, the low one first. */
const azureType = 0xee
const azureLinkId = 0x01

/**
 * Reads the header that the bytes begin with, of which any part may have come. Another signature is `malformed` at its
 * first byte, everything else once it is whole or reaches the bound of its version.
 */
export function readProxyHeader(bytes: Buffer): ReadProxyHeader | 'incomplete' | 'malformed' {
  if (beginsLike(bytes, version2Signature)) return readVersion2(bytes)
  if (beginsLike(bytes, version1Signature)) return readVersion1(bytes)
  return 'malformed'
}

/** As far as there are bytes. */
function beginsLike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length)
  return bytes.compare(signature, 0, length, 0, length) === 0
}

const version1Line =
  /^PROXY (?:TCP([46]) ([0-9A-Fa-f.:]{2,39}) ([0-9A-Fa-f.:]{2,39}) ([0-9]{1,5}) ([0-9]{1,5})|UNKNOWN(?: [ -~]*)?)$/

function readVersion1(bytes: Buffer): ReadProxyHeader | 'incomplete' | 'malformed' {
  const text = bytes.toString('latin1', 0, maxVersion1Bytes)
  const end = text.indexOf('\r\n')
  if (end === -1) return text.length < maxVersion1Bytes ? 'incomplete' : 'malformed'
  const match = version1Line.exec(text.slice(0, end))
  if (match === null) return 'malformed'
  const length = end + 2
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = ''] = match
  if (family === undefined) return { header: fromNowhere, length }
  const address = readAddress(source, family)
  const port = readPort(sourcePort)
  const isWhole = readAddress(destination, family) && readPort(destinationPort) !== undefined
  if (address === undefined || port === undefined || isWhole !== true) return 'malformed'
  return { header: { kind: 'forwarded', address, port, linkId: undefined }, length }
}

const fromNowhere: ForwardedConnection = {
  kind: 'forwarded',
  address: undefined,
  port: undefined,
  linkId: undefined,
}

/** An address of the family that was announced: with colons, or without. */
function readAddress(text: string, family: string): IpAddress | undefined {
  return text.includes(':') === (family === '6') ? parseAddress(text) : undefined
}

/** 2.1: decimal, without leading zeros. */
function readPort(text: string): number | undefined {
  const port = Number(text)
  return String(port) === text && port <= 0xffff ? port : undefined
}

function readVersion2(bytes: Buffer): ReadProxyHeader | 'incomplete' | 'malformed' {
  if (bytes.length < version2FixedBytes) return 'incomplete'
  const [what, family = -1] = bytes.subarray(version2Signature.length)
  const length = version2FixedBytes + bytes.readUInt16BE(14)
  if ((what !== command.local && what !== command.proxy) || length > maxVersion2Bytes) {
    return 'malformed'
  }
  if (bytes.length < length) return 'incomplete'
  // 2.2: of LOCAL everything that follows is to be ignored, and of UNSPEC whatever addresses there are.
  if (what === command.local) return { header: { kind: 'local' }, length }
  if (family === unspecified) return { header: fromNowhere, length }
  const header = readForwarded(bytes.subarray(version2FixedBytes, length), family)
  return header === undefined ? 'malformed' : { header, length }
}

function readForwarded(block: Buffer, family: number): ForwardedConnection | undefined {
  const size = addressBytes.get(family)
  if (size === undefined || block.length < size) return undefined
  const linkId = readLinkId(block.subarray(size))
  if (linkId === 'malformed') return undefined
  if (family === overUnixSocket) return { ...fromNowhere, linkId }
  // Source and destination, then their ports.
  const half = (size - 4) / 2
  return {
    kind: 'forwarded',
    address: addressFromBytes(block.subarray(0, half)),
    port: block.readUInt16BE(half * 2),
    linkId,
  }
}

/** Goes through the TLVs (2.2.1), which must fill the block exactly. Those that are not known are skipped. */
function readLinkId(tlvs: Buffer): number | undefined | 'malformed' {
  let linkId: number | undefined
  let at = 0
  while (at < tlvs.length) {
    if (at + 3 > tlvs.length) return 'malformed'
    const type = tlvs[at]
    const start = at + 3
    at = start + tlvs.readUInt16BE(at + 1)
    if (at > tlvs.length) return 'malformed'
    if (type !== azureType || tlvs[start] !== azureLinkId || at === start) continue
    // THREAT: of two the one that we read must not be another than somebody else reads.
    if (at - start !== 5 || linkId !== undefined) return 'malformed'
    linkId = tlvs.readUInt32LE(start + 1)
  }
  return linkId
}
