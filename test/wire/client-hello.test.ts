import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { duplexPair } from 'node:stream'
import t from 'tap'
import { type ClientHello, ClientHelloReader, maxHelloBytes } from '../../src/wire/client-hello.ts'
import {
  clientHello,
  encrypted,
  extension,
  helloMessage,
  type HelloParts,
  inRecords,
  record,
  serverNames,
  usual,
  vector,
} from '../support/client-hello.ts'

const wanted = 'api.example'
const nothing = Buffer.alloc(0)

function read(...chunks: readonly Buffer[]): ClientHello | undefined {
  const reader = new ClientHelloReader()
  for (const chunk of chunks) {
    const hello = reader.take(chunk)
    if (hello !== undefined) return hello
  }
  return undefined
}

/** With one extension, or several. */
function withExtensions(...extensions: readonly Buffer[]): Buffer {
  return inRecords(helloMessage({ extensions }))
}

function withParts(parts: HelloParts): Buffer {
  return inRecords(helloMessage({ extensions: [serverNames(wanted)], ...parts }))
}

const named: ClientHello = { kind: 'name', name: wanted as never }
const outer: ClientHello = { kind: 'encrypted', outer: wanted as never }
const absent: ClientHello = { kind: 'absent' }
const several: ClientHello = { kind: 'several' }
const unreadable: ClientHello = { kind: 'unreadable' }
const notTls: ClientHello = { kind: 'not-tls' }

const whole: readonly { note: string; bytes: Buffer; hello: ClientHello }[] = [
  { note: 'a name', bytes: clientHello(wanted), hello: named },
  { note: 'a name in capitals', bytes: clientHello('API.Example'), hello: named },
  {
    note: 'behind other extensions',
    bytes: withExtensions(...usual, serverNames(wanted)),
    hello: named,
  },
  { note: 'without a session', bytes: withParts({ session: nothing }), hello: named },
  { note: 'of TLS 1.0', bytes: withParts({ version: Buffer.from([3, 1]) }), hello: named },
  {
    note: 'of post-quantum size',
    bytes: clientHello(wanted, [extension(51, Buffer.alloc(1800))]),
    hello: named,
  },
  {
    note: 'one byte a record',
    bytes: inRecords(helloMessage({ extensions: [serverNames(wanted)] }), 1),
    hello: named,
  },
  {
    note: 'with early data behind it',
    bytes: Buffer.concat([clientHello(wanted), record(23, Buffer.alloc(20_000 % 16_384, 5))]),
    hello: named,
  },
  { note: 'no extensions', bytes: withParts({ extensions: undefined }), hello: absent },
  { note: 'an empty list of extensions', bytes: withParts({ extensions: [] }), hello: absent },
  { note: 'no server name among them', bytes: clientHello(undefined), hello: absent },
  {
    note: 'two names in one list',
    bytes: withExtensions(serverNames(wanted, 'evil.example')),
    hello: several,
  },
  { note: 'one name twice', bytes: withExtensions(serverNames(wanted, wanted)), hello: several },
  {
    note: 'two lists',
    bytes: withExtensions(serverNames(wanted), serverNames('evil.example')),
    hello: several,
  },
  {
    note: 'two lists and encryption',
    bytes: withExtensions(encrypted, serverNames(wanted), serverNames(wanted)),
    hello: several,
  },
  { note: 'encrypted', bytes: clientHello(wanted, [encrypted]), hello: outer },
  {
    note: 'encrypted as in a draft',
    bytes: clientHello(wanted, [extension(0xffce)]),
    hello: outer,
  },
  {
    note: 'encrypted without a name',
    bytes: clientHello(undefined, [encrypted]),
    hello: { kind: 'encrypted', outer: undefined },
  },
  {
    note: 'any other extension twice',
    bytes: clientHello(wanted, [encrypted, encrypted]),
    hello: unreadable,
  },
  { note: 'a trailing dot', bytes: clientHello('api.example.'), hello: unreadable },
  { note: 'a NUL', bytes: clientHello('api.example\0.evil.example'), hello: unreadable },
  {
    note: 'beyond ASCII',
    bytes: withExtensions(serverNames(Buffer.from([0x61, 0xe9, 0x2e, 0x62]))),
    hello: unreadable,
  },
  { note: 'an IPv4 address', bytes: clientHello('192.0.2.1'), hello: unreadable },
  { note: 'an IPv6 address', bytes: clientHello('2001:db8::1'), hello: unreadable },
  { note: 'an IPv4 address as a number', bytes: clientHello('3221225985'), hello: unreadable },
  { note: 'an empty name', bytes: clientHello(''), hello: unreadable },
  { note: 'a space', bytes: clientHello('api.example '), hello: unreadable },
  { note: 'a port', bytes: clientHello('api.example:443'), hello: unreadable },
  { note: 'a name too long', bytes: clientHello(`${'a.'.repeat(127)}example`), hello: unreadable },
  { note: 'no content of the extension', bytes: withExtensions(extension(0)), hello: unreadable },
  {
    note: 'an empty list of names',
    bytes: withExtensions(extension(0, vector(2, nothing))),
    hello: unreadable,
  },
  {
    note: 'bytes behind the list of names',
    bytes: withExtensions(
      extension(
        0,
        Buffer.concat([vector(2, vector(3, Buffer.from(wanted))), nothing, Buffer.from([0])]),
      ),
    ),
    hello: unreadable,
  },
  {
    note: 'a name of an unknown type',
    bytes: withExtensions(
      extension(0, vector(2, Buffer.concat([Buffer.from([1]), vector(2, Buffer.from(wanted))]))),
    ),
    hello: unreadable,
  },
  {
    note: 'a name longer than its list',
    bytes: withExtensions(extension(0, vector(2, Buffer.from([0, 0, 9, 97])))),
    hello: unreadable,
  },
  {
    note: 'an extension longer than the rest',
    bytes: withExtensions(Buffer.from([0, 1, 0, 9, 0])),
    hello: unreadable,
  },
  { note: 'half an extension type', bytes: withExtensions(Buffer.from([0])), hello: unreadable },
  {
    note: 'bytes behind the extensions',
    bytes: withParts({ behind: Buffer.from([0]) }),
    hello: unreadable,
  },
  {
    note: 'half the length of the extensions',
    bytes: withParts({ extensions: undefined, behind: Buffer.from([0]) }),
    hello: unreadable,
  },
  {
    note: 'another major version',
    bytes: withParts({ version: Buffer.from([4, 0]) }),
    hello: unreadable,
  },
  {
    note: 'a session too long',
    bytes: withParts({ session: Buffer.alloc(33) }),
    hello: unreadable,
  },
  { note: 'no cipher suites', bytes: withParts({ suites: nothing }), hello: unreadable },
  { note: 'half a cipher suite', bytes: withParts({ suites: Buffer.alloc(3) }), hello: unreadable },
  { note: 'no compression method', bytes: withParts({ compressions: nothing }), hello: unreadable },
  { note: 'an empty message', bytes: record(22, Buffer.from([1, 0, 0, 0])), hello: unreadable },
  {
    note: 'half of its random',
    bytes: record(22, Buffer.concat([Buffer.from([1]), vector(3, Buffer.alloc(20, 3))])),
    hello: unreadable,
  },
  {
    note: 'only version and random',
    bytes: record(22, Buffer.concat([Buffer.from([1]), vector(3, Buffer.alloc(34, 3))])),
    hello: unreadable,
  },
  { note: 'another message', bytes: record(22, Buffer.from([2, 0, 0, 0])), hello: unreadable },
  {
    note: 'another message behind it in its record',
    bytes: record(22, Buffer.concat([helloMessage({}), Buffer.from([1])])),
    hello: unreadable,
  },
  {
    note: 'a message said to be too large',
    bytes: record(22, Buffer.from([1, 1, 0, 0])),
    hello: unreadable,
  },
  { note: 'an empty record', bytes: record(22, nothing), hello: unreadable },
  {
    note: 'a record said to be too large',
    bytes: Buffer.from([22, 3, 1, 0x40, 1]),
    hello: unreadable,
  },
  {
    note: 'a record of another type in between',
    bytes: Buffer.concat([
      record(22, helloMessage({}).subarray(0, 9)),
      record(20, Buffer.from([1])),
    ]),
    hello: unreadable,
  },
  {
    note: 'a second record of another version',
    bytes: Buffer.concat([record(22, helloMessage({}).subarray(0, 9)), Buffer.from([22, 2])]),
    hello: unreadable,
  },
  { note: 'HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\n'), hello: notTls },
  { note: 'SSH', bytes: Buffer.from('SSH-2.0-x\r\n'), hello: notTls },
  { note: 'the hello of SSL 2', bytes: Buffer.from([0x80, 0x2e, 1, 3, 1]), hello: unreadable },
  { note: 'nearly that', bytes: Buffer.from([0x80, 0x2e, 2, 3, 1]), hello: notTls },
  { note: 'nearly that too', bytes: Buffer.from([0x80, 0x2e, 1, 2, 1]), hello: notTls },
  { note: 'application data', bytes: record(23, Buffer.from('x')), hello: unreadable },
  { note: 'an alert in front', bytes: Buffer.from([21, 3, 1, 0, 2, 1, 90]), hello: unreadable },
  { note: 'a change of cipher', bytes: Buffer.from([20, 3, 1, 0, 1, 1]), hello: unreadable },
  { note: 'a heartbeat', bytes: Buffer.from([24, 3]), hello: unreadable },
  { note: 'what only looks like an alert', bytes: Buffer.from([21, 0x20]), hello: notTls },
  { note: 'a type that is none', bytes: Buffer.from([25, 3]), hello: notTls },
  { note: 'a type that is none, below', bytes: Buffer.from([19, 3]), hello: notTls },
  { note: 'another version of the record', bytes: Buffer.from([22, 2]), hello: unreadable },
  {
    note: 'text behind the first byte',
    bytes: Buffer.from('\x16GET / HTTP/1.1'),
    hello: unreadable,
  },
]

void t.test('ClientHelloReader says what a hello asks for', async (t) => {
  for (const { note, bytes, hello } of whole) t.same(read(bytes), hello, note)
})

void t.test('ClientHelloReader does not care where a hello is cut', async (t) => {
  for (const { note, bytes, hello } of whole) {
    // Behind what is known to be wrong nothing is looked at, wherever the cut is.
    for (let at = 1; at < Math.min(bytes.length, 600); at++) {
      const found = read(bytes.subarray(0, at), bytes.subarray(at))
      if (found?.kind !== hello.kind) t.fail(`${note}, cut at ${at}: ${found?.kind}`)
    }
    t.same(read(...Array.from(bytes, (byte) => Buffer.from([byte]))), hello, note)
  }
})

void t.test('ClientHelloReader asks for more as long as there may be more', async (t) => {
  const bytes = clientHello(wanted)
  for (let length = 0; length < bytes.length; length++) {
    t.equal(read(bytes.subarray(0, length)), undefined)
  }
})

void t.test(
  'ClientHelloReader gives back what it took, and copies nothing that came whole',
  async (t) => {
    const bytes = Buffer.concat([clientHello(wanted), Buffer.alloc(40_000, 3)])
    const reader = new ClientHelloReader()
    t.same(reader.bytes, nothing)
    reader.take(bytes)
    t.equal(reader.bytes.buffer, bytes.buffer, 'the same memory')
    t.equal(reader.bytes.length, bytes.length)
    for (const at of [1, 5, 6, 100]) {
      const inTwo = new ClientHelloReader()
      inTwo.take(bytes.subarray(0, at))
      t.equal(inTwo.take(bytes.subarray(at))?.kind, 'name')
      t.ok(inTwo.bytes.equals(bytes), `cut at ${at}`)
    }
  },
)

void t.test('ClientHelloReader reads no more than it may have', async (t) => {
  const sized = (size: number): Buffer => {
    const bare = clientHello(wanted, [extension(21)]).length
    return clientHello(wanted, [extension(21, Buffer.alloc(size - bare))])
  }
  t.same(read(sized(maxHelloBytes)), named, 'just so large')
  t.same(read(sized(maxHelloBytes + 1)), unreadable, 'a byte more')
  const crumbs = inRecords(helloMessage({ extensions: [extension(21, Buffer.alloc(8000))] }), 1)
  t.ok(crumbs.length > maxHelloBytes)
  t.same(read(crumbs.subarray(0, maxHelloBytes - 1)), undefined)
  t.same(read(crumbs.subarray(0, maxHelloBytes)), unreadable, 'whatever its records hold')
})

void t.test('ClientHelloReader reads what Node.js sends', async (t) => {
  const cases: readonly { note: string; options: ConnectionOptions; hello: ClientHello }[] = [
    { note: 'as it comes', options: { servername: wanted }, hello: named },
    { note: 'TLS 1.2', options: { servername: wanted, maxVersion: 'TLSv1.2' }, hello: named },
    {
      note: 'post-quantum',
      options: { servername: wanted, ecdhCurve: 'X25519MLKEM768' },
      hello: named,
    },
    { note: 'without a name', options: {}, hello: absent },
  ]
  for (const { note, options, hello } of cases) {
    const [client, server] = duplexPair()
    const socket = connectTls({ ...options, socket: client })
    socket.on('error', () => {})
    const reader = new ClientHelloReader()
    const found = await new Promise((resolve) => {
      server.on('data', (chunk: Buffer) => {
        const read = reader.take(chunk)
        if (read !== undefined) resolve(read)
      })
    })
    t.same(found, hello, note)
    socket.destroy()
    server.destroy()
  }
})
