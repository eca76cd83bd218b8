import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** A name server for tests: UDP on loopback, its answers made by hand so that they can be wrong. */
export interface DnsServer {
  /** As settings name it: `address:port`. */
  readonly address: string
  /** Every question so far: `A name` or `AAAA name`, in order of arrival. */
  readonly questions: readonly string[]
  close(): Promise<void>
}

export interface Question {
  readonly name: string
  readonly type: 'A' | 'AAAA'
}

/** What to say: records, a response code, bytes of our own instead of an answer, or nothing at all. */
export interface Answer {
  readonly records?: readonly DnsRecord[]
  readonly code?: 'NOERROR' | 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED'
  /** Sent as they are, behind the two bytes of the question's id. */
  readonly raw?: Buffer
  readonly silent?: boolean
  readonly delayMs?: number
}

export interface DnsRecord {
  /** Owner; default the name asked for. */
  readonly owner?: string
  readonly type: 'A' | 'AAAA' | 'CNAME'
  /** An address, or the name that a CNAME points to. */
  readonly value: string
  /** Seconds; default 60. */
  readonly ttl?: number
}

const typeNumbers = { A: 1, CNAME: 5, AAAA: 28 } as const
const codes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const
const headerBytes = 12

export async function startDnsServer(respond: (question: Question) => Answer): Promise<DnsServer> {
  const socket: Socket = createSocket('udp4')
  const questions: string[] = []
  let isOpen = true
  socket.on('message', (message, peer) => {
    const question = readQuestion(message)
    questions.push(`${question.type} ${question.name}`)
    const answer = respond(question)
    if (answer.silent === true) return
    const bytes =
      answer.raw === undefined ? format(message, question, answer) : rawAnswer(message, answer.raw)
    setTimeout(() => {
      if (isOpen) socket.send(bytes, peer.port, peer.address, () => undefined)
    }, answer.delayMs ?? 0)
  })
  socket.on('error', () => undefined)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    close: async () => {
      isOpen = false
      socket.close()
      await once(socket, 'close')
    },
  }
}

function readQuestion(message: Buffer): Question {
  const labels: string[] = []
  let at = headerBytes
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return {
    name: labels.join('.'),
    type: message.readUInt16BE(at + 1) === typeNumbers.A ? 'A' : 'AAAA',
  }
}

function rawAnswer(message: Buffer, raw: Buffer): Buffer {
  return Buffer.concat([message.subarray(0, 2), raw])
}

/** RFC 1035 section 4. Names are written out, never compressed. */
function format(
  message: Buffer,
  question: Question,
  { records = [], code = 'NOERROR' }: Answer,
): Buffer {
  const header = Buffer.alloc(headerBytes)
  message.copy(header, 0, 0, 2)
  header.writeUInt16BE(0x8180 | codes[code], 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  const asked = Buffer.concat([
    nameBytes(question.name),
    sixteenBits(typeNumbers[question.type]),
    sixteenBits(1),
  ])
  return Buffer.concat([
    header,
    asked,
    ...records.map((record) => recordBytes(record, question.name)),
  ])
}

function recordBytes({ owner, type, value, ttl = 60 }: DnsRecord, name: string): Buffer {
  const data = type === 'CNAME' ? nameBytes(value) : addressBytes(value)
  const seconds = Buffer.alloc(4)
  seconds.writeUInt32BE(ttl)
  return Buffer.concat([
    nameBytes(owner ?? name),
    sixteenBits(typeNumbers[type]),
    sixteenBits(1),
    seconds,
    sixteenBits(data.length),
    data,
  ])
}

function nameBytes(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([...labels, Buffer.from([0])])
}

/** IPv6 only with all eight groups. */
function addressBytes(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number))
  return Buffer.concat(text.split(':').map((group) => sixteenBits(parseInt(group, 16))))
}

function sixteenBits(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
