import { KiB } from '../units.ts'
import { type Hostname, parseHostname } from './hostname.ts'
import { latin1 } from './octets.ts'

/**
 * Whom a TLS client says that it wants, read from the first message that it sends (RFC 8446 4.1.2, 5.1; server name:
 * RFC 6066 3; Encrypted ClientHello: RFC 9849). Strict: every length adds up, or nothing is believed.
 */

export type ClientHello =
  /** The one name that it asks for. */
  | { readonly kind: 'name'; readonly name: Hostname }
  /** It is whole and asks for none. */
  | { readonly kind: 'absent' }
  /** Two names or two lists of names: servers differ in which they take. */
  | { readonly kind: 'several' }
  /** It began as TLS, and is broken, too large or asks for what is no canonical host name. */
  | { readonly kind: 'unreadable' }
  /** It is no TLS. */
  | { readonly kind: 'not-tls' }
  /** The name that counts may be encrypted; GREASE (RFC 9849 6.2) looks the same. `outer` is for everyone to read. */
  | { readonly kind: 'encrypted'; readonly outer: Hostname | undefined }

/** The name that everyone may read in it: the one that counts, or the outer one. */
export function nameIn(first: { readonly kind: string } | ClientHello): Hostname | undefined {
  if ('name' in first) return first.name
  return 'outer' in first ? first.outer : undefined
}

/** With post-quantum key shares a hello has 2 KiB; whoever sends more than this wants to be lost sight of. */
export const maxHelloBytes = 16 * KiB

const handshakeRecord = 22
/** Servers that ignore the version of the first record (RFC 8446 5.1) ask for no less, so as to tell it from text. */
const firstImpossibleMajor = 0x10
const tlsMajorVersion = 3
const recordHeaderBytes = 5
const maxFragmentBytes = 16 * KiB
const clientHelloMessage = 1
const messageHeaderBytes = 4
const versionAndRandomBytes = 34
const maxSessionIdBytes = 32

const serverNameExtension = 0
const hostNameType = 0
/** And what it was in its drafts. */
const encryptingExtensions: ReadonlySet<number> = new Set([0xfe0d, 0xffce])

const nothing = Buffer.alloc(0)
const absent: ClientHello = { kind: 'absent' }
const several: ClientHello = { kind: 'several' }
const unreadable: ClientHello = { kind: 'unreadable' }
const notTls: ClientHello = { kind: 'not-tls' }

/**
 * Reads a hello that comes in pieces, cut anywhere, and as several records. The usual one comes in one piece, and nothing
 * of it is copied.
 */
export class ClientHelloReader {
  #held: Buffer = nothing
  #length = 0
  /** Where the next record begins. */
  #recordAt = 0
  /** Content of the records before it. */
  #message: Buffer = nothing

  /** Everything that was taken, in order. Belongs to the caller from the moment that the hello is known. */
  get bytes(): Buffer {
    return this.#held.subarray(0, this.#length)
  }

  /** What the hello is, once that is known. The caller keeps the chunk unchanged, and takes no more after that. */
  take(chunk: Buffer): ClientHello | undefined {
    this.#hold(chunk)
    for (;;) {
      const fragment = this.#nextFragment()
      if (fragment === undefined) {
        return this.#length < maxHelloBytes ? undefined : unreadable
      }
      if ('kind' in fragment) return fragment
      this.#message =
        this.#message.length === 0 ? fragment : Buffer.concat([this.#message, fragment])
      const hello = readMessage(this.#message)
      if (hello !== undefined) return hello
    }
  }

  #hold(chunk: Buffer): void {
    const length = this.#length + chunk.length
    if (this.#length === 0) {
      this.#held = chunk
    } else {
      if (length > this.#held.length) {
        // Once, for a hello in crumbs; and once more for what comes in the read that ends it.
        const held = Buffer.allocUnsafeSlow(Math.max(maxHelloBytes, length))
        this.#held.copy(held, 0, 0, this.#length)
        this.#held = held
      }
      chunk.copy(this.#held, this.#length)
    }
    this.#length = length
  }

  /** Content of the next record; undefined: more is needed. */
  #nextFragment(): Buffer | ClientHello | undefined {
    const bytes = this.#held
    const at = this.#recordAt
    const left = Math.min(this.#length, maxHelloBytes) - at
    if (left === 0) return undefined
    const type = bytes[at] ?? 0
    if (type !== handshakeRecord) {
      if (at > 0) return unreadable
      if (type >= 0x80) return this.#readOldHello(left)
      if (!isRecordType(type)) return notTls
      if (left === 1) return undefined
      // Some servers drop a record in front of the hello and read on: what is TLS to anybody is not "no TLS".
      return (bytes[1] ?? 0) < firstImpossibleMajor ? unreadable : notTls
    }
    if (left > 1 && bytes[at + 1] !== tlsMajorVersion) return unreadable
    if (left < recordHeaderBytes) return undefined
    const size = bytes.readUInt16BE(at + 3)
    if (size === 0 || size > maxFragmentBytes) return unreadable
    const from = at + recordHeaderBytes
    if (left < recordHeaderBytes + size) return undefined
    this.#recordAt = from + size
    return bytes.subarray(from, this.#recordAt)
  }

  /** The first record is none of TLS: unreadable if it is the form that came before it. */
  #readOldHello(left: number): ClientHello | undefined {
    if (left < oldHelloBytes) return undefined
    const [, , message, major] = this.#held
    return message === clientHelloMessage && major === tlsMajorVersion ? unreadable : notTls
  }
}

/** Of SSL 2, which some servers take for TLS and which names nobody (RFC 5246 E.2). */
const oldHelloBytes = 4

/** Change of cipher, alert, application data, heartbeat (RFC 8446 B.1, RFC 6520). */
function isRecordType(type: number): boolean {
  return type >= 20 && type <= 24
}

/** Undefined: the message is not whole. */
function readMessage(message: Buffer): ClientHello | undefined {
  if (message[0] !== clientHelloMessage) return unreadable
  if (message.length < messageHeaderBytes) return undefined
  const length = messageHeaderBytes + message.readUIntBE(1, 3)
  if (length > maxHelloBytes) return unreadable
  if (message.length < length) return undefined
  // Nothing may follow it before the server has spoken.
  if (message.length > length) return unreadable
  return readHello(new Cursor(message.subarray(messageHeaderBytes))) ?? unreadable
}

/** Undefined: it does not add up. */
function readHello(hello: Cursor): ClientHello | undefined {
  const version = hello.bytes(versionAndRandomBytes)
  const session = hello.vector(1)
  const suites = hello.vector(2)
  const compressions = hello.vector(1)
  if (version?.[0] !== tlsMajorVersion || session === undefined) return undefined
  if (session.length > maxSessionIdBytes || suites === undefined) return undefined
  if (suites.length === 0 || suites.length % 2 === 1) return undefined
  if (compressions === undefined || compressions.length === 0) return undefined
  // Before TLS 1.3 there may be none (RFC 5246 7.4.1.2).
  if (hello.isAtEnd) return absent
  const extensions = hello.vector(2)
  return extensions === undefined || !hello.isAtEnd
    ? undefined
    : readExtensions(new Cursor(extensions))
}

function readExtensions(extensions: Cursor): ClientHello | undefined {
  const seen = new Set<number>()
  const names: Hostname[] = []
  let hasSeveral = false
  let isEncrypted = false
  while (!extensions.isAtEnd) {
    const type = extensions.number(2)
    const content = extensions.vector(2)
    if (type === undefined || content === undefined) return undefined
    if (type === serverNameExtension) {
      const count = readServerNames(new Cursor(content), names)
      if (count === undefined) return undefined
      hasSeveral ||= count > 1 || seen.has(type)
    } else if (seen.has(type)) {
      return undefined
    }
    isEncrypted ||= encryptingExtensions.has(type)
    seen.add(type)
  }
  const [name] = names
  if (hasSeveral) return several
  if (isEncrypted) return { kind: 'encrypted', outer: name }
  return name === undefined ? absent : { kind: 'name', name }
}

/** How many there are; undefined: what is there is no list of canonical names. */
function readServerNames(extension: Cursor, names: Hostname[]): number | undefined {
  const content = extension.vector(2)
  if (content === undefined || content.length === 0 || !extension.isAtEnd) return undefined
  const list = new Cursor(content)
  let count = 0
  while (!list.isAtEnd) {
    const type = list.number(1)
    const bytes = list.vector(2)
    if (type !== hostNameType || bytes === undefined) return undefined
    const text = latin1(bytes, 0, bytes.length)
    // A server that does not take the dot away knows another name by it, or none (RFC 6066 3: without one).
    const name = text.endsWith('.') ? undefined : parseHostname(text)
    if (name === undefined) return undefined
    names.push(name)
    count++
  }
  return count
}

/** Reads on and on, as far as there is something; undefined where there is not. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  bytes(length: number): Buffer | undefined {
    const from = this.#at
    if (from + length > this.#bytes.length) return undefined
    this.#at += length
    return this.#bytes.subarray(from, this.#at)
  }

  number(size: 1 | 2): number | undefined {
    return this.bytes(size)?.readUIntBE(0, size)
  }

  /** Content behind its length, which has so many bytes (RFC 8446 3.4). */
  vector(size: 1 | 2): Buffer | undefined {
    const length = this.number(size)
    return length === undefined ? undefined : this.bytes(length)
  }
}
