import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
import {
  codeOf,
  connectFrames,
  dataFrame,
  endHeaders,
  endStream,
  type FieldList,
  type FrameClient,
  headersFrame,
  requestFields,
  resetFrame,
} from '../support/http2-frames.ts'
import { type InboundWorld, openShop, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'
import { http2ErrorCode } from '../../src/wire/http2-error-code.ts'

/**
 * Downgrade: what a client says in HTTP/2 must not become something else in HTTP/1.1. A lenient origin that takes any
 * bytes shows what went out; behind each attempt an ordinary request shows that the session, or the listener, goes on.
 */

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
const inbound = [{ name: 'public', tls }]
const asOrders = { ca: authority.ca, servername: 'orders.test' }

const get = requestFields('/first')
const post = requestFields('/first', [], 'POST')

/** Each pseudo-header but those, and these instead. */
function instead(...changes: FieldList): FieldList {
  const changed = new Set(changes.map(([name]) => name))
  return [...changes, ...get.filter(([name]) => !changed.has(name))]
}

interface Outcome {
  /** What the origin saw of the attempt; empty: nothing. */
  readonly origin: string
  /** Status of the answer, or the code of the reset or GOAWAY. */
  readonly status?: string
  readonly reset?: number
  /** Details of the records. */
  readonly details: readonly (string | undefined)[]
}

void t.test('what HTTP/1.1 cannot say does not reach a back end', async (t) => {
  const refused = (detail: string): Outcome => ({ origin: '', status: '400', details: [detail] })
  /** Node's library refuses it by itself; there is no request then, and no record. */
  const reset: Outcome = { origin: '', reset: http2ErrorCode.protocolError, details: [] }
  /** The library takes out fields that are none, as if they had not come. */
  const withoutIt: Outcome = {
    origin: 'GET /first HTTP/1.1\r\nhost: orders.test\r\n',
    status: '200',
    details: [undefined],
  }
  const cases: { note: string; fields: FieldList; want: Outcome }[] = [
    { note: 'a line break in a value', fields: [...get, ['x', 'a\r\nb: c']], want: withoutIt },
    { note: 'a line feed in a value', fields: [...get, ['x', 'a\nb: c']], want: withoutIt },
    { note: 'a NUL in a value', fields: [...get, ['x', 'a\0b']], want: withoutIt },
    {
      note: 'a value padded in front',
      fields: [...get, ['x', ' a']],
      want: refused('a field value that is none'),
    },
    {
      note: 'a value padded behind',
      fields: [...get, ['x', 'a\t']],
      want: refused('a field value that is none'),
    },
    { note: 'a colon in a name', fields: [...get, ['x:y', 'a']], want: withoutIt },
    { note: 'a space in a name', fields: [...get, ['x y', 'a']], want: withoutIt },
    {
      note: 'a request in a name',
      fields: [...get, ['x: y\r\n\r\nGET / HTTP/1.1', 'a']],
      want: withoutIt,
    },
    { note: 'an empty name', fields: [...get, ['', 'a']], want: withoutIt },
    { note: 'a capital in a name', fields: [...get, ['X-Up', 'a']], want: reset },
    { note: 'transfer-encoding', fields: [...get, ['transfer-encoding', 'chunked']], want: reset },
    { note: 'connection', fields: [...get, ['connection', 'x-nsp-resource-id']], want: reset },
    { note: 'upgrade', fields: [...get, ['upgrade', 'h2c']], want: reset },
    { note: 'keep-alive', fields: [...get, ['keep-alive', '5']], want: reset },
    { note: 'proxy-connection', fields: [...get, ['proxy-connection', 'close']], want: reset },
    { note: 'te: gzip', fields: [...get, ['te', 'gzip']], want: reset },
    { note: 'a path with a space', fields: instead([':path', '/ HTTP/1.1']), want: reset },
    { note: 'a path with a line break', fields: instead([':path', '/\r\nx: y']), want: reset },
    { note: 'a path without a slash', fields: instead([':path', 'first']), want: reset },
    { note: 'an empty path', fields: instead([':path', '']), want: reset },
    { note: 'a method with a space', fields: instead([':method', 'GET /x']), want: reset },
    { note: 'two authorities', fields: [...get, [':authority', 'other.test']], want: reset },
    { note: 'a pseudo-header behind', fields: [['x', 'y'], ...get], want: reset },
    {
      note: ':protocol',
      fields: instead([':method', 'CONNECT'], [':protocol', 'websocket']),
      want: reset,
    },
    { note: 'userinfo', fields: instead([':authority', 'u@orders.test']), want: reset },
    { note: 'no name', fields: get.filter(([name]) => name !== ':authority'), want: reset },
    {
      note: 'two lengths',
      fields: [...get, ['content-length', '0'], ['content-length', '0']],
      want: reset,
    },
    { note: 'a length without a body', fields: [...get, ['content-length', '5']], want: reset },
    { note: 'a length with a sign', fields: [...get, ['content-length', '+0']], want: reset },
    {
      note: 'CONNECT',
      fields: [
        [':method', 'CONNECT'],
        [':authority', 'orders.test:443'],
      ],
      want: refused('CONNECT to a resource'),
    },
    {
      note: 'OPTIONS *',
      fields: instead([':method', 'OPTIONS'], [':path', '*']),
      want: refused('target is not a path'),
    },
    {
      note: 'a fragment',
      fields: instead([':path', '/a#b']),
      want: refused('target holds characters that do not belong there'),
    },
    {
      note: 'a backslash',
      fields: instead([':path', '/a\\b']),
      want: refused('target holds characters that do not belong there'),
    },
    {
      note: 'another Host',
      fields: [...get, ['host', 'other.test']],
      want: refused('Host differs from :authority'),
    },
    {
      note: 'another scheme',
      fields: instead([':scheme', 'http']),
      want: refused('scheme is not that of the connection'),
    },
    {
      note: 'a small method',
      fields: instead([':method', 'get']),
      want: refused('method is not a method'),
    },
    {
      note: 'the method of the preface',
      fields: instead([':method', 'PRI']),
      want: refused('method is not a method'),
    },
    {
      note: 'transfer_encoding',
      fields: [...get, ['transfer_encoding', 'chunked']],
      want: refused('framing header in another spelling'),
    },
    {
      note: 'a strange expectation',
      fields: [...get, ['expect', '200-ok']],
      want: refused('unknown expectation'),
    },
  ]
  for (const { note, fields, want } of cases) {
    await t.test(note, async (t) => {
      const { client, world, received } = await start(t)
      client.send(headersFrame(1, fields))
      t.match(await answerOf(client, 1), { status: want.status, reset: want.reset })
      t.strictSame(
        world.records.map(({ detail }) => detail),
        want.details,
      )
      const before = received()
      t.ok(want.origin === '' ? before === '' : before.startsWith(want.origin), before)
      t.notMatch(before, /\bb: c|x y|x:y|chunked|X-Up/i)
      client.send(headersFrame(3, requestFields('/second')))
      t.match(await answerOf(client, 3), { status: '200' })
      const heads = received().match(/^[A-Z]+ [^\r\n]* HTTP\/1\.1\r$/gm)
      t.equal(heads?.length, want.origin === '' ? 1 : 2, 'and nothing besides')
      client.destroy()
    })
  }
})

void t.test('a body that is not as long as it says is never taken for a whole one', async (t) => {
  const cases = [
    { note: 'shorter', length: '5', body: 'abc', seen: 'content-length: 5\r\n' },
    {
      note: 'longer',
      length: '2',
      body: 'abcGET /smuggled HTTP/1.1\r\n\r\n',
      seen: 'content-length: 2\r\n',
    },
  ]
  for (const { note, length, body, seen } of cases) {
    await t.test(note, async (t) => {
      const { client, world, received, port } = await start(t)
      const fields: FieldList = [...post, ['content-length', length]]
      client.send(headersFrame(1, fields, endHeaders), dataFrame(1, body, endStream))
      const { reset } = await answerOf(client, 1)
      t.ok(reset === http2ErrorCode.protocolError || reset === http2ErrorCode.internalError)
      await world.quiet0()
      t.notMatch(received(), 'smuggled')
      const [head = '', sent = ''] = received().split('\r\n\r\n')
      if (head !== '') {
        t.match(head, seen.trimEnd())
        t.ok(sent.length < Number(length), 'the back end waits for more, and is cut off')
      }
      const other = await connectFrames({ port, ...asOrders })
      other.send(headersFrame(1, requestFields('/second')))
      t.match(await answerOf(other, 1), { status: '200' })
      other.destroy()
      client.destroy()
    })
  }
})

void t.test('a body without a length reaches the back end in chunks', async (t) => {
  const { client, received } = await start(t)
  const body = '0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n'
  client.send(headersFrame(1, post, endHeaders), dataFrame(1, body, endStream))
  t.match(await answerOf(client, 1), { status: '200' })
  t.match(received(), 'transfer-encoding: chunked\r\n')
  t.ok(received().endsWith(`\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`))
  client.destroy()
})

void t.test('an upload that the client gives up never ends for the back end', async (t) => {
  for (const code of [http2ErrorCode.cancel, http2ErrorCode.noError]) {
    const { client, world, received } = await start(t)
    client.send(headersFrame(1, post, endHeaders), dataFrame(1, 'half'))
    while (!received().includes('half')) await new Promise((resolve) => setTimeout(resolve, 5))
    client.send(resetFrame(1, code))
    const { end } = await world.record((record) => record.end !== undefined)
    t.match(end, { closeReason: 'client-reset', bytesIn: 4 })
    await world.quiet0()
    t.notMatch(received(), '0\r\n\r\n', `reset with ${code}`)
    client.destroy()
  }
})

void t.test(
  'trailers of a request go no further: a back end could take them for its head',
  async (t) => {
    const { client, received } = await start(t)
    client.send(
      headersFrame(1, post, endHeaders),
      dataFrame(1, 'body'),
      headersFrame(1, [['x-nsp-subscription-id', 'forged']]),
    )
    t.match(await answerOf(client, 1), { status: '200' })
    t.ok(received().endsWith('\r\n\r\n4\r\nbody\r\n0\r\n\r\n'))
    client.destroy()
  },
)

interface Started {
  readonly client: FrameClient
  readonly world: InboundWorld & { quiet0(): Promise<void> }
  readonly port: number
  /** Everything that the origin has got, on all connections. */
  readonly received: () => string
}

/** Answers each request whose head has come, once its body has. */
async function start(t: { teardown(end: () => Promise<void>): void }): Promise<Started> {
  const origin = await startRawOrigin({
    onData(socket, text) {
      const isWhole = text.endsWith('\r\n\r\n') && !/chunked\r\n[^]*\r\n\r\n$/.test(text)
      if (isWhole || text.endsWith('\r\n0\r\n\r\n'))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    },
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`, { inbound }), {
    pem: shown,
  })
  const client = await connectFrames({ ...world, ...asOrders })
  return {
    client,
    port: world.port,
    received: () => origin.received.join(''),
    world: {
      ...world,
      async quiet0() {
        while (world.proxy.open > 0) await new Promise((resolve) => setTimeout(resolve, 5))
        while (origin.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
      },
    },
  }
}

/** Status of the answer on a stream, read without a decoder: Node's sends `:status` first. */
async function answerOf(
  client: FrameClient,
  stream: number,
): Promise<{ status?: string; reset?: number | undefined }> {
  const frame = await client.frame(
    (one) =>
      (one.stream === stream && (one.type === 'HEADERS' || one.type === 'RST_STREAM')) ||
      one.type === 'GOAWAY',
  )
  if (frame?.type !== 'HEADERS') return { reset: codeOf(frame) }
  return { status: statusIn(frame.payload) }
}

/** Indexes of HPACK's static table (RFC 7541 appendix A), else a literal of three digits behind the name. */
function statusIn(block: Buffer): string {
  const [first = 0] = block
  const known = new Map([
    [0x88, '200'],
    [0x8c, '400'],
    [0x8d, '404'],
    [0x8e, '500'],
  ])
  return known.get(first) ?? `literal ${block.subarray(0, 6).toString('hex')}`
}
